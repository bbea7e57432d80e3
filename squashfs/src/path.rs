//! Paths.

use crate::Image;
use crate::error::Error;
use crate::inode::{InodeRef, Kind};
use crate::read_at::ReadAt;

impl<R: ReadAt> Image<R> {
    /// See [`Image::find`].
    pub(crate) fn find_path(&self, path: &[u8]) -> Result<Option<InodeRef>, Box<Error>> {
        let mut at = self.root();
        for name in path
            .split(|&byte| byte == b'/')
            .filter(|name| !matches!(name, [] | [b'.']))
        {
            let inode = self.read_inode(at)?;
            if inode.kind != Kind::Directory {
                return Ok(None);
            }
            match self.find_entry(&inode, name)? {
                Some(entry) => at = entry.inode_ref,
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }
}

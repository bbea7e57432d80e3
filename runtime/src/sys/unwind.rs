//! The unwinder's interface (Itanium C++ ABI, "Exception Handling", level 1) for programs whose panics abort: nobody
//! unwinds.
//!
//! What is left of the unwinder in such a program would only print backtraces, for which the standard library brings a
//! reader of DWARF. With these in place the linker sees that neither can be reached: the stub is 300 KiB smaller. A
//! panic still says what happened and where.

use std::ffi::{c_int, c_uint, c_void};

use super::process;

/// `_URC_END_OF_STACK`: there are no more frames.
const END_OF_STACK: c_uint = 5;

/// Visits no frame.
// SAFETY: the name is the unwinder's, and no other is linked: defining all that is asked of it is what keeps it out.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Backtrace(_visit: *const c_void, _argument: *mut c_void) -> c_uint {
    END_OF_STACK
}

// SAFETY: as above. Nobody raises.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_RaiseException(_exception: *mut c_void) -> c_uint {
    END_OF_STACK
}

// SAFETY: as above. Only the cancellation of a thread forces an unwind, and nobody cancels any; glibc aborts on this.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_ForcedUnwind(_exception: *mut c_void, _stop: *const c_void, _argument: *mut c_void) -> c_uint {
    END_OF_STACK
}

// SAFETY: as above. Landing pads, which are never reached, end in it.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume(_exception: *mut c_void) -> ! {
    process::exit(crate::exit::FAILED)
}

/// Functions that are asked about a frame, of which there is none.
macro_rules! of_no_frame {
    ($($name:ident ( $($argument:ty),* ) $(-> $result:ty = $value:expr)?;)*) => {
        $(
            // SAFETY: as above. Only called with a frame, and nobody has one.
            #[unsafe(no_mangle)]
            extern "C" fn $name($(_: $argument),*) $(-> $result)? { $($value)? }
        )*
    };
}

of_no_frame! {
    _Unwind_DeleteException(*mut c_void);
    _Unwind_FindEnclosingFunction(*mut c_void) -> *mut c_void = std::ptr::null_mut();
    _Unwind_GetCFA(*mut c_void) -> usize = 0;
    _Unwind_GetDataRelBase(*mut c_void) -> usize = 0;
    _Unwind_GetGR(*mut c_void, c_int) -> usize = 0;
    _Unwind_GetIP(*mut c_void) -> usize = 0;
    _Unwind_GetIPInfo(*mut c_void, *mut c_int) -> usize = 0;
    _Unwind_GetLanguageSpecificData(*mut c_void) -> *mut c_void = std::ptr::null_mut();
    _Unwind_GetRegionStart(*mut c_void) -> usize = 0;
    _Unwind_GetTextRelBase(*mut c_void) -> usize = 0;
    _Unwind_SetGR(*mut c_void, c_int, usize);
    _Unwind_SetIP(*mut c_void, usize);
}

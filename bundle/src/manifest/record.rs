//! Objects of JSON whose fields are known, read into their places.
//!
//! One visitor reads them all, and the objects differ in tables only: a visitor that serde derives for each of them would
//! take two kilobytes of every bundle. What is no object is none here, either, where serde takes a list of a struct's values for the
//! struct, too: a second spelling of every manifest, which the format does not have.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::validate::ManifestError;

/// An object of JSON.
pub(super) trait Record {
    /// The fields that mean something. Any other is ignored.
    fn fields(&mut self) -> Vec<Field<'_>>;
}

/// A field of an object.
pub(super) struct Field<'a> {
    name: &'static str,
    presence: Presence,
    /// Where its value goes; none once it was there.
    place: Option<Place<'a>>,
}

/// Whether a field is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Needed,
    Optional,
    /// `null` is as if it were not there.
    Nullable,
}

impl<'a> Field<'a> {
    /// A field that every such object has.
    pub(super) fn needed(name: &'static str, place: Place<'a>) -> Self {
        Self::new(name, Presence::Needed, place)
    }

    /// A field that may be missing; its place is as it was then.
    pub(super) fn optional(name: &'static str, place: Place<'a>) -> Self {
        Self::new(name, Presence::Optional, place)
    }

    /// A field that may be missing or `null`; its place is as it was then.
    pub(super) fn nullable(name: &'static str, place: Place<'a>) -> Self {
        Self::new(name, Presence::Nullable, place)
    }

    fn new(name: &'static str, presence: Presence, place: Place<'a>) -> Self {
        Self {
            name,
            presence,
            place: Some(place),
        }
    }
}

/// Where a value goes, and with that what it must be.
pub(super) enum Place<'a> {
    Flag(&'a mut bool),
    Number(&'a mut u64),
    Short(&'a mut u32),
    OptionalShort(&'a mut Option<u32>),
    Text(&'a mut String),
    OptionalText(&'a mut Option<String>),
    /// A list of texts.
    Texts(&'a mut Vec<String>),
    /// One more text in a list.
    Word(&'a mut Vec<String>),
    Record(&'a mut dyn Record),
    /// One more object, made when it is read.
    Made(&'a mut dyn Room),
    /// A list of such objects.
    Records(&'a mut dyn Room),
}

impl Place<'_> {
    /// What it must be, as serde says it.
    fn expected(&self) -> &'static str {
        match self {
            Self::Flag(_) => "a boolean",
            Self::Number(_) => "u64",
            Self::Short(_) | Self::OptionalShort(_) => "u32",
            Self::Text(_) | Self::OptionalText(_) | Self::Word(_) => "a string",
            Self::Texts(_) | Self::Records(_) => "a sequence",
            Self::Record(_) | Self::Made(_) => "an object",
        }
    }
}

/// What has room for an object more.
pub(super) trait Room {
    /// The object, empty.
    fn make(&mut self) -> &mut dyn Record;
}

impl<T: Record + Default> Room for Option<T> {
    fn make(&mut self) -> &mut dyn Record {
        self.insert(T::default())
    }
}

impl<T: Record + Default> Room for Vec<T> {
    fn make(&mut self) -> &mut dyn Record {
        let at = self.len();
        self.push(T::default());
        &mut self[at]
    }
}

/// Reads the object that these bytes are.
pub(super) fn read(bytes: &[u8], record: &mut dyn Record) -> Result<(), ManifestError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    Reader::of(Place::Record(record))
        .deserialize(&mut json)
        .and_then(|()| json.end())
        .map_err(ManifestError::from_json)
}

/// Reads one value into its place.
struct Reader<'a> {
    place: Place<'a>,
    nullable: bool,
}

impl<'a> Reader<'a> {
    fn of(place: Place<'a>) -> Self {
        Self { place, nullable: false }
    }

    fn refuse<T, E: Error>(&self, found: &str) -> Result<T, E> {
        let expected = self.place.expected();
        Err(E::custom(format_args!("invalid type: {found}, expected {expected}")))
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.place.expected())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        if self.nullable { Ok(()) } else { self.refuse("null") }
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<(), E> {
        match self.place {
            Place::Flag(place) => *place = flag,
            _ => return self.refuse("boolean"),
        }
        Ok(())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        match (self.place, u32::try_from(number)) {
            (Place::Number(place), _) => *place = number,
            (Place::Short(place), Ok(short)) => *place = short,
            (Place::OptionalShort(place), Ok(short)) => *place = Some(short),
            (place, _) => return Reader::of(place).refuse("integer"),
        }
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.refuse("negative integer")
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.refuse("floating point")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let text = text.to_owned();
        match self.place {
            Place::Text(place) => *place = text,
            Place::OptionalText(place) => *place = Some(text),
            Place::Word(list) => list.push(text),
            _ => return self.refuse("string"),
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        loop {
            let place = match &mut self.place {
                Place::Texts(texts) => Place::Word(texts),
                Place::Records(room) => Place::Made(*room),
                _ => return self.refuse("sequence"),
            };
            if list.next_element_seed(Reader::of(place))?.is_none() {
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let mut fields = match self.place {
            Place::Record(record) => record.fields(),
            Place::Made(room) => room.make().fields(),
            place => return Reader::of(place).refuse("map"),
        };
        while let Some(name) = object.next_key::<String>()? {
            let Some(field) = fields.iter_mut().find(|field| field.name == name) else {
                object.next_value::<IgnoredAny>()?;
                continue;
            };
            let Some(place) = field.place.take() else {
                return Err(A::Error::duplicate_field(field.name));
            };
            let nullable = field.presence == Presence::Nullable;
            object.next_value_seed(Reader { place, nullable })?;
        }
        for field in &fields {
            if field.presence == Presence::Needed && field.place.is_some() {
                return Err(A::Error::missing_field(field.name));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Eq)]
    struct Sample {
        flag: bool,
        number: u64,
        short: u32,
        text: String,
        texts: Vec<String>,
        inner: Option<Inner>,
        list: Vec<Inner>,
    }

    #[derive(Debug, Default, PartialEq, Eq)]
    struct Inner {
        short: Option<u32>,
        text: Option<String>,
    }

    impl Record for Sample {
        fn fields(&mut self) -> Vec<Field<'_>> {
            vec![
                Field::needed("number", Place::Number(&mut self.number)),
                Field::optional("flag", Place::Flag(&mut self.flag)),
                Field::optional("short", Place::Short(&mut self.short)),
                Field::optional("text", Place::Text(&mut self.text)),
                Field::optional("texts", Place::Texts(&mut self.texts)),
                Field::nullable("inner", Place::Made(&mut self.inner)),
                Field::nullable("list", Place::Records(&mut self.list)),
            ]
        }
    }

    impl Record for Inner {
        fn fields(&mut self) -> Vec<Field<'_>> {
            vec![
                Field::nullable("short", Place::OptionalShort(&mut self.short)),
                Field::optional("text", Place::OptionalText(&mut self.text)),
            ]
        }
    }

    fn sample(text: &str) -> Result<Sample, String> {
        let mut sample = Sample::default();
        let read = read(text.as_bytes(), &mut sample);
        read.map(|()| sample).map_err(|error| error.to_string())
    }

    #[test]
    fn every_place_is_filled() {
        let filled = sample(
            r#" {"list": [{"text": "a\n"}, {"short": null, "x": {"x": 1, "x": [1e400]}}], "number": 18446744073709551615,
                 "inner": {"short": 4294967295}, "texts": ["", "\u00fc"], "text": "t", "short": 7, "flag": true} "#,
        );
        let inner = |short, text: Option<&str>| Inner {
            short,
            text: text.map(str::to_owned),
        };
        let expected = Sample {
            flag: true,
            number: u64::MAX,
            short: 7,
            text: "t".to_owned(),
            texts: vec![String::new(), "ü".to_owned()],
            inner: Some(inner(Some(u32::MAX), None)),
            list: vec![inner(None, Some("a\n")), inner(None, None)],
        };
        assert_eq!(filled, Ok(expected));
    }

    #[test]
    fn what_may_be_missing_or_null() {
        let empty = Ok(Sample::default());
        assert_eq!(sample(r#"{"number": 0}"#), empty);
        assert_eq!(sample(r#"{"number": 0, "inner": null, "list": null}"#), empty);
        assert_eq!(sample(r#"{"number": 0, "list": [], "texts": []}"#), empty);
    }

    #[test]
    fn a_value_that_its_place_does_not_take_is_refused_where_it_stands() {
        for (text, expected) in [
            ("[]", "invalid type: sequence, expected an object at line 1 column 2"),
            ("{}", "missing field `number` at line 1 column 2"),
            (r#"{"number": 0} 1"#, "trailing characters at line 1 column 15"),
            (
                r#"{"number": 0, "number": 0}"#,
                "duplicate field `number` at line 1 column 22",
            ),
            (
                r#"{"number": null}"#,
                "invalid type: null, expected u64 at line 1 column 15",
            ),
            (
                r#"{"number": -1}"#,
                "invalid type: negative integer, expected u64 at line 1 column 13",
            ),
            (
                r#"{"number": 1.0}"#,
                "invalid type: floating point, expected u64 at line 1 column 14",
            ),
            (
                r#"{"number": 18446744073709551616}"#,
                "invalid type: floating point, expected u64 at line 1 column 31",
            ),
            (
                r#"{"number": "1"}"#,
                "invalid type: string, expected u64 at line 1 column 14",
            ),
            (
                r#"{"short": 4294967296}"#,
                "invalid type: integer, expected u32 at line 1 column 20",
            ),
            (
                r#"{"flag": 1}"#,
                "invalid type: integer, expected a boolean at line 1 column 10",
            ),
            (
                r#"{"text": true}"#,
                "invalid type: boolean, expected a string at line 1 column 13",
            ),
            (
                r#"{"texts": "a"}"#,
                "invalid type: string, expected a sequence at line 1 column 13",
            ),
            (
                r#"{"texts": ["a", []]}"#,
                "invalid type: sequence, expected a string at line 1 column 18",
            ),
            (
                r#"{"texts": null}"#,
                "invalid type: null, expected a sequence at line 1 column 14",
            ),
            (
                r#"{"inner": []}"#,
                "invalid type: sequence, expected an object at line 1 column 12",
            ),
            (
                r#"{"list": [[]]}"#,
                "invalid type: sequence, expected an object at line 1 column 12",
            ),
            (
                r#"{"list": [null]}"#,
                "invalid type: null, expected an object at line 1 column 14",
            ),
            (
                r#"{"list": {}}"#,
                "invalid type: map, expected a sequence at line 1 column 11",
            ),
            (
                r#"{"inner": {"short": -1}}"#,
                "invalid type: negative integer, expected u32 at line 1 column 22",
            ),
        ] {
            assert_eq!(sample(text).as_ref().map_err(String::as_str), Err(expected), "{text}");
        }
    }
}

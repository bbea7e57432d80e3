//! Values of JSON by themselves, for objects of many small kinds: a visitor that serde derives for each of those would take some kilobytes
//! of every bundle.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A value. Whoever takes it out of its object says what it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// Nothing, which stands for everything that may be left out: so Go's encoder writes what is empty.
    Null,
    Number(u64),
    Text(String),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
    /// What no field here can have: negative numbers, fractions, truth values.
    Other,
}

/// A value that its field cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    field: &'static str,
    expected: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}", self.field, self.expected)
    }
}

/// The members of an object.
pub(super) struct Members(Vec<(String, Value)>);

impl Members {
    /// The value of `field`, [`Value::Null`] where there is none.
    pub(super) fn take(&mut self, field: &str) -> Value {
        let found = self.0.iter().position(|(name, _)| name == field);
        found.map_or(Value::Null, |at| self.0.swap_remove(at).1)
    }

    /// A number, if it is there.
    pub(super) fn number(&mut self, field: &'static str) -> Result<Option<u64>, Fault> {
        match self.take(field) {
            Value::Null => Ok(None),
            Value::Number(number) => Ok(Some(number)),
            _ => Err(Fault {
                field,
                expected: "a number from 0",
            }),
        }
    }

    /// A number of 32 bits, if it is there.
    pub(super) fn short_number(&mut self, field: &'static str) -> Result<Option<u32>, Fault> {
        let short = self.number(field)?.map(u32::try_from).transpose();
        short.map_err(|_| Fault {
            field,
            expected: "a number below 2^32",
        })
    }

    /// A text, if it is there.
    pub(super) fn text(&mut self, field: &'static str) -> Result<Option<String>, Fault> {
        match self.take(field) {
            Value::Null => Ok(None),
            value => value.text(field).map(Some),
        }
    }

    /// A text that must be there.
    pub(super) fn needed(&mut self, field: &'static str) -> Result<String, Fault> {
        self.take(field).text(field)
    }

    /// A list, empty where it is not there, each of whose values `read` reads.
    pub(super) fn list<T>(
        &mut self,
        field: &'static str,
        read: impl Fn(Value, &'static str) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        match self.take(field) {
            Value::Null => Ok(Vec::new()),
            Value::List(values) => values.into_iter().map(|value| read(value, field)).collect(),
            _ => Err(Fault {
                field,
                expected: "a list",
            }),
        }
    }
}

impl Value {
    pub(super) fn text(self, field: &'static str) -> Result<String, Fault> {
        match self {
            Self::Text(text) => Ok(text),
            _ => Err(Fault {
                field,
                expected: "a string",
            }),
        }
    }

    pub(super) fn members(self, field: &'static str) -> Result<Members, Fault> {
        match self {
            Self::Object(members) => Ok(Members(members)),
            _ => Err(Fault {
                field,
                expected: "an object",
            }),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut members: Vec<(String, Value)> = Vec::new();
        while let Some((name, value)) = object.next_entry::<String, Value>()? {
            if members.iter().any(|(known, _)| *known == name) {
                return Err(de::Error::custom("a field stands twice"));
            }
            members.push((name, value));
        }
        Ok(Value::Object(members))
    }
}

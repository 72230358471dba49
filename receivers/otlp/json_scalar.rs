//! Scalars of OTLP/JSON, as the numbers and bytes that protobuf writes.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use lanner_engine::event::otlp::schema::{Field, Kind};
use serde::{
    Deserialize, Deserializer,
    de::{self, Error, Unexpected, Visitor},
};
use serde_json::value::RawValue;
use std::fmt;

/// A scalar as protobuf has it on the wire.
pub enum Scalar {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(Vec<u8>),
}

/// Reads the value of a field that is no message, from serde_json.
///
/// # Errors
/// It is of another kind or out of range.
pub fn read<'de, D: Deserializer<'de>>(deserializer: D, field: &'static Field) -> Result<Scalar, D::Error> {
    let reader = Reader { field };
    if !matches!(field.kind, Kind::Double) {
        return deserializer.deserialize_any(reader);
    }
    // By its text, since serde_json says of one that is too large nothing that names the field.
    let text = <&RawValue>::deserialize(deserializer)?.get();
    match text.as_bytes() {
        [b'"', ..] => reader.visit_str(&serde_json::from_str::<String>(text).map_err(D::Error::custom)?),
        [b'-' | b'0'..=b'9', ..] => reader.visit_str(text),
        _ => Err(D::Error::invalid_type(Unexpected::Other("a value of another kind"), &reader)),
    }
}

struct Reader {
    field: &'static Field,
}

/// Whole numbers up to here are exact in a float.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Reader {
    fn integer<E: de::Error>(&self, value: i128) -> Result<Scalar, E> {
        let out_of_range = || E::custom(format_args!("{value} is out of range for `{}`", self.field.name));
        let unsigned = || u64::try_from(value).map_err(|_| out_of_range());
        let signed = || i64::try_from(value).map_err(|_| out_of_range());
        let narrow = || i32::try_from(value).map_err(|_| out_of_range());
        Ok(match self.field.kind {
            // Counts are unsigned, enums are signed and never negative in OTLP.
            Kind::Varint => Scalar::Varint(u32::try_from(value).map_err(|_| out_of_range())?.into()),
            Kind::Sint32 => {
                let value = narrow()?;
                Scalar::Varint(u64::from((value << 1 ^ value >> 31) as u32))
            }
            Kind::Fixed32 => Scalar::Fixed32(u32::try_from(value).map_err(|_| out_of_range())?),
            Kind::Int64 => Scalar::Varint(signed()? as u64),
            Kind::Uint64 => Scalar::Varint(unsigned()?),
            Kind::Fixed64 => Scalar::Fixed64(unsigned()?),
            Kind::Sfixed64 => Scalar::Fixed64(signed()? as u64),
            _ => return Err(E::invalid_type(Unexpected::Other("a number"), self)),
        })
    }

    /// Trace ids have 16 bytes, span ids 8; none at all is an absent id.
    fn id<E: de::Error>(&self, text: &str) -> Result<Scalar, E> {
        let length = if self.field.name == "traceId" { 16 } else { 8 };
        let digits = text.as_bytes();
        let bytes: Option<Vec<u8>> = digits.chunks(2).map(hex_byte).collect();
        match bytes {
            Some(bytes) if bytes.is_empty() || bytes.len() == length => Ok(Scalar::Bytes(bytes)),
            _ => Err(E::custom(format_args!("`{}` is not {} hex digits", self.field.name, 2 * length))),
        }
    }
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let [high, low] = digits else { return None };
    let digit = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
}

impl Visitor<'_> for Reader {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.field.kind {
            Kind::Text => "text",
            Kind::Hex => "hex digits",
            Kind::Base64 => "base64",
            Kind::Bool => "true or false",
            Kind::Double => "a number",
            _ => "an integer",
        };
        write!(f, "{what} for `{}`", self.field.name)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Scalar, E> {
        match self.field.kind {
            Kind::Bool => Ok(Scalar::Varint(value.into())),
            _ => Err(E::invalid_type(Unexpected::Bool(value), &self)),
        }
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Scalar, E> {
        self.integer(value.into())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Scalar, E> {
        self.integer(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Scalar, E> {
        match self.field.kind {
            // `1e3` and `5.0` are integers, too.
            _ if value.fract() == 0.0 && value.abs() <= EXACT => self.integer(value as i128),
            _ => Err(E::invalid_type(Unexpected::Float(value), &self)),
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Scalar, E> {
        /// Both alphabets are read, with padding and without.
        const BASE64: GeneralPurpose = GeneralPurpose::new(
            &STANDARD,
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
        );
        let unusable = || E::invalid_value(Unexpected::Str(text), &self);
        match self.field.kind {
            Kind::Text => Ok(Scalar::Bytes(text.as_bytes().to_vec())),
            Kind::Hex => self.id(text),
            Kind::Base64 => {
                let standard = text.replace('-', "+").replace('_', "/");
                BASE64.decode(standard).map(Scalar::Bytes).map_err(|_| unusable())
            }
            Kind::Double => {
                let value = match text {
                    "NaN" => f64::NAN,
                    "Infinity" => f64::INFINITY,
                    "-Infinity" => f64::NEG_INFINITY,
                    _ => text.parse().ok().filter(|value: &f64| value.is_finite()).ok_or_else(unusable)?,
                };
                Ok(Scalar::Fixed64(value.to_bits()))
            }
            Kind::Bool | Kind::Message(_) => Err(unusable()),
            // Longer than any 64-bit number is no number of ours.
            _ if text.len() > 20 => Err(unusable()),
            _ => self.integer(text.parse().map_err(|_| unusable())?),
        }
    }
}

//! `Raw`: messages as they are on the wire, so that one that cannot be read costs itself and not the stream.

use bytes::{Buf, Bytes};
use prost::Message;
use std::marker::PhantomData;
use tonic::{
    Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

/// Encodes requests of the type `Q`; leaves responses as bytes.
pub struct Raw<Q>(PhantomData<fn(Q)>);

/// The encoding half.
pub struct Requests<Q>(PhantomData<fn(Q)>);

/// The decoding half.
pub struct Messages;

impl<Q> Default for Raw<Q> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<Q: Message + 'static> Codec for Raw<Q> {
    type Encode = Q;
    type Decode = Bytes;
    type Encoder = Requests<Q>;
    type Decoder = Messages;

    fn encoder(&mut self) -> Requests<Q> {
        Requests(PhantomData)
    }

    fn decoder(&mut self) -> Messages {
        Messages
    }
}

impl<Q: Message + 'static> Encoder for Requests<Q> {
    type Item = Q;
    type Error = Status;

    fn encode(&mut self, item: Q, buf: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(buf).map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for Messages {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buf.copy_to_bytes(buf.remaining())))
    }
}

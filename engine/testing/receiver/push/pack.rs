//! Bodies of every kind: compressed, framed, of a certain size.

use super::{Format, Protocol};
use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};
use std::io::Write;

/// Why packing cannot fail.
const INTO_MEMORY: &str = "writing to memory does not fail";

/// `body` as `encoding` writes it.
pub fn compressed(encoding: &str, body: &[u8]) -> Vec<u8> {
    match encoding {
        "gzip" => {
            let mut packer = GzEncoder::new(Vec::new(), Compression::best());
            packer.write_all(body).expect(INTO_MEMORY);
            packer.finish().expect(INTO_MEMORY)
        }
        "deflate" => {
            let mut packer = ZlibEncoder::new(Vec::new(), Compression::best());
            packer.write_all(body).expect(INTO_MEMORY);
            packer.finish().expect(INTO_MEMORY)
        }
        "zstd" => zstd::encode_all(body, 3).expect(INTO_MEMORY),
        "snappy" => snap::raw::Encoder::new().compress_vec(body).expect(INTO_MEMORY),
        other => panic!("the kit cannot write {other}"),
    }
}

/// What goes over the wire for `body`.
pub fn framed(protocol: Protocol, is_compressed: bool, body: &[u8]) -> Vec<u8> {
    match protocol {
        Protocol::Http1 | Protocol::Http2 => body.to_vec(),
        Protocol::Grpc => {
            let length = u32::try_from(body.len()).expect("a message below 4 GiB");
            [&[u8::from(is_compressed)][..], &length.to_be_bytes(), body].concat()
        }
    }
}

/// `body` and so much of nothing that it is `size` bytes long.
pub fn padded(format: Format, body: &[u8], size: usize) -> Vec<u8> {
    let mut padded = body.to_vec();
    let rest = size.checked_sub(body.len()).expect("a body above the size cannot be padded");
    match format {
        Format::Json => padded.resize(size, b' '),
        Format::Protobuf => {
            // Field 15 is unknown everywhere; a length of three bytes serves from 0 to 2 MiB.
            let length = rest.checked_sub(4).expect("room for an unknown field");
            padded.extend([15 << 3 | 2, length as u8 | 0x80, (length >> 7) as u8 | 0x80, (length >> 14) as u8 & 0x7f]);
            padded.resize(size, 0);
        }
    }
    padded
}

//! An HTTP/1.1 sink that keeps what it was sent and answers by script. It has done its work before it answers, so that an
//! answer that is lost is an ambiguous one.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Posted {
    /// Names are in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Posted {
    /// A header; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The body's events: of one JSON object, of an array, or of a line each.
    pub fn events(&self) -> Vec<serde_json::Value> {
        let values = serde_json::Deserializer::from_slice(&self.body).into_iter().map(Result::unwrap);
        let each = |value| match value {
            serde_json::Value::Array(events) => events,
            event => vec![event],
        };
        values.flat_map(each).collect()
    }
}

/// Status and body of an answer.
pub type Answer = (u16, String);

type Script = Arc<dyn Fn(&Posted) -> Answer + Send + Sync>;

/// A running sink; its connections end with the client's.
pub struct HttpSink {
    pub port: u16,
    posted: Arc<Mutex<Vec<Posted>>>,
}

impl HttpSink {
    /// Listens on a free port.
    pub fn start(script: impl Fn(&Posted) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, posted) = (listener.local_addr().unwrap().port(), Arc::default());
        let (script, keep): (Script, _) = (Arc::new(script), Arc::clone(&posted));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (script, keep) = (Arc::clone(&script), Arc::clone(&keep));
                // A connection that breaks is the client's to repeat.
                std::thread::spawn(move || drop(serve(stream, &script, &keep)));
            }
        });
        Self { port, posted }
    }

    /// What came so far, answered or not.
    pub fn posted(&self) -> Vec<Posted> {
        self.posted.lock().unwrap().clone()
    }
}

fn serve(stream: TcpStream, script: &Script, keep: &Mutex<Vec<Posted>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(posted) = read(&mut reader)? {
        let (status, body) = script(&posted);
        keep.lock().unwrap().push(posted);
        let head = format!("HTTP/1.1 {status} As-Asked\r\ncontent-length: {}\r\n\r\n", body.len());
        reader.get_mut().write_all((head + &body).as_bytes())?;
    }
    Ok(())
}

/// The next request; `None` at the end of the connection.
fn read(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Posted>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Posted { headers, body }))
}

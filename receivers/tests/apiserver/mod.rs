//! An API server's audit webhook backend, as a client: what `--audit-webhook-mode=batch` does.
//!
//! Facts that are followed: a task per batch without a bound; POST of an EventList over one HTTP/2 connection; an attempt ends
//! after 30 s; inside it 429 and 5xx with `Retry-After` in seconds are tried up to ten times more; any other failure ends
//! it; five attempts with 10, 15, 22.5 and 33.75 s and up to a fifth more between them; 200 to 206 with a
//! well-formed `Content-Type` is success. Times are tokio's: with a paused clock minutes pass as fast as the work in them.

use bytes::Bytes;
use parking_lot::Mutex;
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout};

const ATTEMPT: Duration = Duration::from_secs(30);
const ATTEMPTS: usize = 5;
const TRIES: usize = 11;
const FIRST_WAIT: Duration = Duration::from_secs(10);
const FACTOR: f64 = 1.5;
const JITTER: f64 = 0.2;

/// What became of a batch.
#[derive(Clone, Debug)]
pub struct Fate {
    pub server: usize,
    pub batch: usize,
    pub delivered: bool,
    /// When each attempt began.
    pub attempts: Vec<Instant>,
    pub ended: Instant,
}

/// What the answers were.
#[derive(Debug, Default)]
pub struct Answers {
    pub statuses: BTreeMap<u16, usize>,
    /// How long each answer took, whatever it was.
    pub took: Vec<Duration>,
}

impl Answers {
    fn add(&mut self, status: u16, took: Duration) {
        *self.statuses.entry(status).or_default() += 1;
        self.took.push(took);
    }
}

/// One API server with its connection.
pub struct ApiServer {
    pub number: usize,
    client: reqwest::Client,
    url: String,
    pub answers: Mutex<Answers>,
}

impl ApiServer {
    /// A server that trusts `ca` and sends to `https://localhost/k8s-audit/prod` at `address`.
    pub fn new(number: usize, ca: &str, address: SocketAddr) -> Arc<Self> {
        let root = reqwest::Certificate::from_pem(ca.as_bytes()).unwrap();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([root]).resolve("localhost", address);
        Arc::new(Self {
            number,
            client: client.build().unwrap(),
            url: format!("https://localhost:{}/k8s-audit/prod", address.port()),
            answers: Mutex::default(),
        })
    }

    /// Tries until the batch is delivered or all attempts are used up.
    pub async fn send(self: Arc<Self>, batch: usize, body: Bytes) -> Fate {
        let (mut attempts, mut wait) = (Vec::new(), FIRST_WAIT);
        loop {
            attempts.push(Instant::now());
            let attempt = timeout(ATTEMPT, self.attempt(&body)).await;
            let delivered = matches!(attempt, Ok(true));
            if delivered || attempts.len() == ATTEMPTS {
                return Fate { server: self.number, batch, delivered, attempts, ended: Instant::now() };
            }
            sleep(wait.mul_f64(1.0 + JITTER * fastrand::f64())).await;
            wait = wait.mul_f64(FACTOR);
        }
    }

    /// One attempt with its inner tries; whether the batch is delivered.
    async fn attempt(&self, body: &Bytes) -> bool {
        for _ in 0..TRIES {
            let start = Instant::now();
            let request = self.client.post(&self.url).header("content-type", "application/json").body(body.clone());
            // A connection that is refused or breaks ends the attempt.
            let answer = match request.send().await {
                Ok(answer) => answer,
                Err(error) => {
                    if !error.is_connect() {
                        println!("server {}: {error:?} after {:?}", self.number, start.elapsed());
                    }
                    return false;
                }
            };
            let status = answer.status().as_u16();
            let header = |name: &str| answer.headers().get(name)?.to_str().ok().map(str::to_owned);
            let (content_type, retry_after) = (header("content-type"), header("retry-after"));
            assert_eq!(answer.version(), reqwest::Version::HTTP_2);
            let Ok(_) = answer.bytes().await else { return false };
            self.answers.lock().add(status, start.elapsed());
            if (200..=206).contains(&status) {
                return content_type.is_some_and(|text| is_media_type(&text));
            }
            let again = status == 429 || status >= 500;
            let Some(seconds) = retry_after.filter(|_| again).and_then(|text| text.parse().ok()) else { return false };
            sleep(Duration::from_secs(seconds)).await;
        }
        false
    }
}

/// Whether Go's `mime.ParseMediaType` takes it.
fn is_media_type(text: &str) -> bool {
    let token = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    let mut parts = text.split(';');
    let essence = parts.next().unwrap_or_default().trim();
    let sound = essence.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype));
    sound && parts.all(|part| part.trim().split_once('=').is_some_and(|(name, value)| token(name) && !value.is_empty()))
}

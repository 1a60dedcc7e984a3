//! A vendor's incoming webhook, as its documentation describes it: one request, judged and kept.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Whose.
#[derive(Clone, Copy)]
pub(crate) enum Vendor {
    /// `{"text": …}`, answered by 200 and `ok`: docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
    Slack,
    /// `{"content": …}` of 1 to 2000 characters, answered by 204:
    /// discord.com/developers/docs/resources/webhook#execute-webhook
    Discord,
}

pub(crate) struct Webhook {
    listener: TcpListener,
    vendor: Vendor,
}

impl Webhook {
    pub(crate) async fn new(vendor: Vendor) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        Self { listener, vendor }
    }

    pub(crate) fn url(&self) -> String {
        let path = match self.vendor {
            Vendor::Slack => "services/T0/B0/secret",
            Vendor::Discord => "api/webhooks/1/secret",
        };
        format!("http://{}/{path}", self.listener.local_addr().unwrap())
    }

    /// Takes one request and answers it; gives its body if it was as the vendor wants it.
    pub(crate) async fn one(&self) -> Result<Value, String> {
        let (mut stream, _) = self.listener.accept().await.unwrap();
        let mut bytes = Vec::new();
        let (head, mut body) = loop {
            let mut chunk = [0; 1024];
            let read = stream.read(&mut chunk).await.unwrap();
            assert!(read > 0, "the request ends in its head");
            bytes.extend_from_slice(&chunk[..read]);
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break (
                    String::from_utf8(bytes[..end].to_vec()).unwrap(),
                    bytes.split_off(end + 4),
                );
            }
        };
        let head = head.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let length: usize = length.trim().parse().unwrap();
        while body.len() < length {
            assert!(stream.read_buf(&mut body).await.unwrap() > 0, "the request ends in its body");
        }
        let judged = self.judge(&head, &body);
        let answer = match (&judged, self.vendor) {
            (Err(why), _) => {
                format!("HTTP/1.1 400 Bad Request\r\nContent-Length: {}\r\n\r\n{why}", why.len())
            }
            (Ok(_), Vendor::Slack) => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_owned(),
            (Ok(_), Vendor::Discord) => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
        };
        stream.write_all(answer.as_bytes()).await.unwrap();
        judged
    }

    fn judge(&self, head: &str, body: &[u8]) -> Result<Value, String> {
        if !head.starts_with("post ") || !head.contains("\r\ncontent-type: application/json") {
            return Err("invalid_payload".to_owned());
        }
        let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let key = match self.vendor {
            Vendor::Slack => "text",
            Vendor::Discord => "content",
        };
        match body[key].as_str().map(|text| text.chars().count()) {
            Some(1..=2000) => Ok(body),
            _ => Err("no_text".to_owned()),
        }
    }
}

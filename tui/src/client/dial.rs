//! Connecting: the socket, whose it is, and the handshake.
//!
//! A socket that another user serves is refused: whoever can create it first would otherwise read
//! what is typed. A daemon of another major version is refused with both versions.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use moltis_proto::v1::models_client::ModelsClient;
use moltis_proto::v1::sandbox_client::SandboxClient;
use moltis_proto::v1::sessions_client::SessionsClient;
use moltis_proto::v1::system_client::SystemClient;
use moltis_proto::v1::{HelloRequest, HelloResponse, ProtocolVersion};
use moltis_proto::{PROTOCOL_MAJOR, PROTOCOL_MINOR};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout};
use tonic::metadata::MetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Request, Status};

use super::autostart::{self, StartError};
use super::caller::Caller;
use super::failure::{Failure, plain};
use super::place;
use crate::cli::GlobalFlags;

/// What a message may weigh: pictures travel whole.
const LARGEST_MESSAGE: usize = 64 << 20;
/// How long an answer to the first call may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a daemon that is going away or coming up is waited for.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a daemon that went away is waited for.
const AWAY: Duration = Duration::from_secs(60);
/// After this long a daemon that left its socket behind has not stopped in order.
const ORDERLY: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Knows where the daemon is and how to start it.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    config_dir: PathBuf,
    data_dir: PathBuf,
    socket: PathBuf,
    /// Whether the socket was named, rather than found by the data directory.
    named: bool,
    autostart: bool,
    log_level: Option<String>,
    kind: Kind,
}

/// A connection whose every call says what kind of client asks.
pub(crate) type Wire = InterceptedService<Channel, Kind>;

/// Says in a call's metadata what kind of client asks: events are recorded with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind(&'static str);

impl Interceptor for Kind {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("moltis-client", MetadataValue::from_static(self.0));
        Ok(request)
    }
}

/// One connection: the clients of the services that stream, and what makes all other calls.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) sessions: SessionsClient<Wire>,
    pub(crate) models: ModelsClient<Wire>,
    pub(crate) system: SystemClient<Wire>,
    /// For what has one answer.
    pub(crate) caller: Caller,
    pub(crate) sandbox: SandboxClient<Wire>,
    /// What the daemon said of itself.
    pub(crate) hello: HelloResponse,
}

/// Why there is no connection.
enum Trouble {
    /// Nobody serves the socket.
    Absent(io::Error),
    /// Something else.
    Failed(Failure),
}

impl Connector {
    /// A connector for what the flags say; `kind` is the client's name in the daemon's records.
    pub(crate) fn new(global: &GlobalFlags, kind: &'static str) -> Self {
        let given =
            |path: &'_ Option<PathBuf>| path.clone().filter(|path| !path.as_os_str().is_empty());
        let data_dir = place::data_dir(given(&global.data_dir).as_deref());
        let config_dir = place::config_dir(given(&global.config_dir).as_deref());
        let given = given(&global.socket);
        let given = given.map(|path| std::path::absolute(&path).unwrap_or(path));
        // A socket that was named may lead to another machine: nothing is started for it.
        let named = given.is_some();
        let autostart = !global.no_autostart && !named;
        Self {
            named,
            config_dir,
            socket: given.unwrap_or_else(|| place::socket(&data_dir)),
            data_dir,
            autostart,
            log_level: global.log_level.map(|level| level.name().to_owned()),
            kind: Kind(kind),
        }
    }

    /// A connector for the daemon of those directories, whatever the flags say.
    pub(crate) fn at(config_dir: &Path, data_dir: &Path, kind: &'static str) -> Self {
        let config_dir = place::config_dir(Some(config_dir));
        let data_dir = place::data_dir(Some(data_dir));
        let socket = place::socket(&data_dir);
        let (named, autostart) = (false, false);
        Self { config_dir, data_dir, socket, named, autostart, log_level: None, kind: Kind(kind) }
    }

    /// Connects; starts the daemon when none runs and that is allowed.
    pub(crate) async fn connect(&self) -> Result<Client, Failure> {
        self.connect_as(self.autostart).await
    }

    /// Connects to a running daemon, or to a new one if the socket is gone: the old daemon has
    /// stopped in order. One that was killed leaves its socket: that is for the caller's backoff,
    /// and for [`Connector::connect`] when its patience ends.
    pub(crate) async fn reconnect(&self) -> Result<Client, Failure> {
        match self.open().await {
            Ok(client) => Ok(client),
            Err(Trouble::Absent(error))
                if self.autostart && error.kind() == io::ErrorKind::NotFound =>
            {
                self.connect().await
            }
            Err(Trouble::Absent(error)) => Err(self.absent(&error)),
            Err(Trouble::Failed(failure)) => Err(failure),
        }
    }

    /// Connects to the daemon again after its connection broke: waits for a new one for a minute,
    /// and starts one when the old one did not stop in order.
    pub(crate) async fn come_back(&self) -> Result<Client, Failure> {
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let connected = if begun.elapsed() > ORDERLY {
                self.connect().await
            } else {
                self.reconnect().await
            };
            match connected {
                Err(failure) if failure.is_unavailable() && begun.elapsed() < AWAY => {
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                ended => return ended,
            }
        }
    }

    /// Connects to a running daemon; `None` when none runs.
    pub(crate) async fn running(&self) -> Result<Option<Client>, Failure> {
        match self.open().await {
            Ok(client) => Ok(Some(client)),
            Err(Trouble::Absent(_)) => Ok(None),
            Err(Trouble::Failed(failure)) => Err(failure),
        }
    }

    /// Whether the socket leads to the daemon of these directories. One that was named may lead to
    /// another: what is done to the directories themselves must not be mixed with it.
    ///
    /// # Errors
    /// A usage error that names the command.
    pub(crate) fn is_own(&self, command: &str) -> Result<(), Failure> {
        if !self.named {
            return Ok(());
        }
        let message =
            format!("`{command}` is for the daemon of the data directory, not of a socket");
        Err(Failure::usage(message).with_hint("leave out --socket and unset MOLTIS_SOCKET"))
    }

    /// Starts the daemon if none runs, even when scripts may not.
    pub(crate) async fn start(&self) -> Result<Client, Failure> {
        self.connect_as(true).await
    }

    /// The service that stops the daemon, and its process id if it can be known: works with a
    /// daemon of any version. `None` when none runs.
    pub(crate) async fn stopper(
        &self,
    ) -> Result<Option<(SystemClient<Wire>, Option<u32>)>, Failure> {
        let (channel, peer) = match self.channel().await {
            Ok(connected) => connected,
            Err(Trouble::Absent(_)) => return Ok(None),
            Err(Trouble::Failed(failure)) => return Err(failure),
        };
        let mut system = SystemClient::with_interceptor(channel, self.kind);
        if !self.named {
            return Ok(Some((system, peer)));
        }
        // Who serves a named socket may be a tunnel, whose end nobody asked for.
        let said = match timeout(HANDSHAKE, system.hello(self.hello())).await {
            Ok(Ok(hello)) => Some(hello.into_inner().pid),
            Ok(Err(_)) | Err(_) => None,
        };
        Ok(Some((system, peer.filter(|pid| said == Some(*pid)))))
    }

    /// Where the data is.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Where the configuration is.
    pub(crate) fn config_dir(&self) -> &Path {
        &self.config_dir
    }

    /// Where the socket is.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// How chatty a daemon that is started shall be, if that was said.
    pub(crate) fn log_level(&self) -> Option<&str> {
        self.log_level.as_deref()
    }

    async fn connect_as(&self, autostart: bool) -> Result<Client, Failure> {
        let end = Instant::now() + PATIENCE;
        let mut pause = FIRST_PAUSE;
        loop {
            let failure = match self.open().await {
                Ok(client) => return Ok(client),
                Err(Trouble::Absent(error)) if !autostart => return Err(self.absent(&error)),
                Err(Trouble::Absent(_)) => match autostart::start(self).await {
                    // Once more without a pause: the daemon has said that it listens.
                    Ok(()) => match self.open().await {
                        Ok(client) => return Ok(client),
                        Err(Trouble::Absent(error)) => self.absent(&error),
                        Err(Trouble::Failed(failure)) => failure,
                    },
                    Err(StartError::Taken(failure)) => failure,
                    Err(StartError::Failed(failure)) => return Err(failure),
                },
                // It accepted and hung up: it is on its way out.
                Err(Trouble::Failed(failure)) if autostart && failure.is_unavailable() => failure,
                Err(Trouble::Failed(failure)) => return Err(failure),
            };
            // Here another daemon of the same directory is stopping or starting: nobody tells us
            // when it has, so this rare case looks again, ever less often.
            if Instant::now() + pause > end {
                return Err(failure);
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn absent(&self, error: &io::Error) -> Failure {
        let socket = self.socket.display();
        Failure::unavailable(format!("moltisd does not answer at `{socket}`: {}", plain(error)))
            .with_hint("moltis daemon start")
    }

    async fn open(&self) -> Result<Client, Trouble> {
        let (channel, _) = self.channel().await?;
        let mut system = SystemClient::with_interceptor(channel.clone(), self.kind);
        let answer = timeout(HANDSHAKE, system.hello(self.hello())).await;
        let hello = match answer {
            Ok(Ok(hello)) => hello.into_inner(),
            Ok(Err(status)) => return Err(Trouble::Failed(status.into())),
            Err(_) => {
                let socket = self.socket.display();
                let said = format!("moltisd at `{socket}` accepts but does not answer");
                let failure = Failure::unavailable(said).with_hint("moltis daemon restart");
                return Err(Trouble::Failed(failure));
            }
        };
        check_version(&hello).map_err(Trouble::Failed)?;
        Ok(Client {
            sessions: SessionsClient::with_interceptor(channel.clone(), self.kind)
                .max_decoding_message_size(LARGEST_MESSAGE)
                .max_encoding_message_size(LARGEST_MESSAGE),
            models: ModelsClient::with_interceptor(channel.clone(), self.kind)
                .max_decoding_message_size(LARGEST_MESSAGE),
            caller: Caller::new(
                InterceptedService::new(channel.clone(), self.kind),
                LARGEST_MESSAGE,
            ),
            sandbox: SandboxClient::with_interceptor(channel, self.kind),
            system,
            hello,
        })
    }

    fn hello(&self) -> HelloRequest {
        HelloRequest {
            protocol: Some(ProtocolVersion { major: PROTOCOL_MAJOR, minor: PROTOCOL_MINOR }),
            build: env!("CARGO_PKG_VERSION").to_owned(),
            client: self.kind.0.to_owned(),
        }
    }

    async fn channel(&self) -> Result<(Channel, Option<u32>), Trouble> {
        let (stream, pid) = dial(&self.socket).await.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Trouble::Absent(error),
            _ => Trouble::Failed(self.unreachable(&error)),
        })?;
        let first = Arc::new(Mutex::new(Some(stream)));
        let socket = self.socket.clone();
        let connector = tower::service_fn(move |_: Uri| {
            let first = Arc::clone(&first);
            let socket = socket.clone();
            async move {
                let ready = first.lock().ok().and_then(|mut first| first.take());
                let stream = match ready {
                    Some(stream) => stream,
                    None => dial(&socket).await?.0,
                };
                Ok::<_, io::Error>(TokioIo::new(stream))
            }
        });
        // The name is for the `:authority` header only.
        let endpoint = Endpoint::from_static("http://moltisd");
        match endpoint.connect_with_connector(connector).await {
            Ok(channel) => Ok((channel, pid)),
            Err(_) => {
                let failure = Failure::unavailable("moltisd hung up at once");
                Err(Trouble::Failed(failure.with_hint("moltis daemon logs")))
            }
        }
    }

    fn unreachable(&self, error: &io::Error) -> Failure {
        let socket = self.socket.display();
        Failure::unavailable(format!("cannot connect to `{socket}`: {}", plain(error)))
    }
}

async fn dial(socket: &Path) -> io::Result<(UnixStream, Option<u32>)> {
    let stream = UnixStream::connect(socket).await?;
    let peer = stream.peer_cred()?;
    let (theirs, ours) = (peer.uid(), rustix::process::geteuid().as_raw());
    if theirs != ours && theirs != 0 {
        let message = format!("it is served by user {theirs}, not by you");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    Ok((stream, peer.pid().and_then(|pid| u32::try_from(pid).ok())))
}

fn check_version(hello: &HelloResponse) -> Result<(), Failure> {
    let ProtocolVersion { major, minor } = hello.protocol.unwrap_or_default();
    if major == PROTOCOL_MAJOR {
        return Ok(());
    }
    let message = format!(
        "this moltis ({}) speaks protocol {PROTOCOL_MAJOR}.{PROTOCOL_MINOR}, the running moltisd \
         ({}) speaks {major}.{minor}",
        env!("CARGO_PKG_VERSION"),
        hello.build,
    );
    let hint = if major < PROTOCOL_MAJOR {
        "moltis daemon restart"
    } else {
        "install the moltis that came with that moltisd"
    };
    Err(Failure::new("version_mismatch", message).with_hint(hint))
}

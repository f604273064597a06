//! The connections, of which no client can hold all: their number is bounded, one that isn't read
//! is closed, and where there is no room for a new one, the slowest idle one makes it.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep};

/// A client that waits for bytes must take this many in this time.
const BYTES: usize = 256 << 10;
const TIME: Duration = Duration::from_secs(5);

/// All open connections, at most `most`.
#[derive(Clone)]
pub struct Connections {
    open: Arc<Mutex<Vec<Arc<Entry>>>>,
    most: usize,
}

struct Entry {
    close: Notify,
    /// Whether anything was sent to it, and when bytes last went either way.
    state: Mutex<(bool, Instant)>,
}

/// Locks, also if a thread panicked while holding the lock.
fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connections {
    /// None yet.
    pub fn new(most: usize) -> Connections {
        Connections {
            open: Arc::default(),
            most,
        }
    }

    /// Adds a connection. If there are too many, one is asked to close: first those without a
    /// request so far, then those that were idle for longest.
    pub fn add(&self, stream: TcpStream) -> Connection {
        let mut all = lock(&self.open);
        if all.len() >= self.most {
            let oldest = (0..all.len()).min_by_key(|&at| *lock(&all[at].state));
            if let Some(at) = oldest {
                all.swap_remove(at).close.notify_one();
            }
        }
        let entry = Arc::new(Entry {
            close: Notify::new(),
            state: Mutex::new((false, Instant::now())),
        });
        all.push(entry.clone());
        Connection {
            all: self.clone(),
            entry,
            stream,
            taken: 0,
            patience: None,
        }
    }
}

/// A handle by which a connection learns that it must make room.
pub struct Closing(Arc<Entry>);

impl Closing {
    /// Returns when the connection must be closed.
    pub async fn asked(&self) {
        self.0.close.notified().await;
    }
}

/// A connection that fails if its client doesn't take what it asked for.
pub struct Connection {
    all: Connections,
    entry: Arc<Entry>,
    stream: TcpStream,
    /// Bytes that the client took since it was first waited for, and for how long it still is.
    taken: usize,
    patience: Option<Pin<Box<Sleep>>>,
}

impl Connection {
    /// The handle of this connection.
    pub fn closing(&self) -> Closing {
        Closing(self.entry.clone())
    }

    fn written(&mut self, cx: &mut Context, written: Poll<Result<usize>>) -> Poll<Result<usize>> {
        if let Poll::Ready(done) = written {
            self.taken += done.as_ref().copied().unwrap_or(0);
            if self.taken >= BYTES {
                (self.taken, self.patience) = (0, None);
            }
            *lock(&self.entry.state) = (true, Instant::now());
            return Poll::Ready(done);
        }
        let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(TIME)));
        ready!(patience.as_mut().poll(cx));
        Poll::Ready(Err(Error::from(ErrorKind::TimedOut)))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        lock(&self.all.open).retain(|entry| !Arc::ptr_eq(entry, &self.entry));
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context,
        buffer: &mut ReadBuf,
    ) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        // A client that sends its request byte by byte stays as old as its first one.
        let mut state = lock(&self.entry.state);
        if state.0 && buffer.filled().len() > before {
            state.1 = Instant::now();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context, bytes: &[u8]) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context,
        bytes: &[IoSlice],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Nothing is waiting to be sent.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<Result<()>> {
        (self.taken, self.patience) = (0, None);
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

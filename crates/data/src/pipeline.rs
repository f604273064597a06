//! A pipeline: one thread produces work, several process it, and the results arrive in order.

use crate::{Error, Result};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::Builder;

/// Runs `produce` on its own thread, `work` on `threads` threads, and `consume` on the calling
/// thread with the results in production order. The number of pieces in flight is limited, so
/// memory stays bounded however uneven the pieces are.
///
/// The error returned is the same for any number of threads: that of the first piece, in production
/// order, that fails. The producer's own error comes only after all of its pieces.
pub(crate) fn run<T: Send, R: Send>(
    threads: usize,
    produce: impl FnOnce(&mut dyn FnMut(T) -> Result<()>) -> Result<()> + Send,
    work: impl Fn(u64, T) -> Result<R> + Sync,
    mut consume: impl FnMut(u64, R) -> Result<()>,
) -> Result<()> {
    let threads = threads.max(1);
    // One permit per piece in flight: taken before it is produced, returned once it is consumed.
    let (take, give_back) = sync_channel::<()>(2 * threads + 2);
    let (jobs, queue) = channel::<(u64, T)>();
    let (done, results) = channel::<(u64, std::thread::Result<Result<R>>)>();
    let queue = Mutex::new(queue);
    std::thread::scope(|scope| {
        let producer = Builder::new().spawn_scoped(scope, move || {
            let mut number = 0;
            produce(&mut |piece| {
                let gone = |_| Error::Stopped;
                take.send(()).map_err(gone)?;
                jobs.send((number, piece)).map_err(|_| Error::Stopped)?;
                number += 1;
                Ok(())
            })
        });
        let producer = producer.map_err(Error::Thread)?;
        for number in 0..threads {
            let done = done.clone();
            let (queue, work) = (&queue, &work);
            let worker = Builder::new().spawn_scoped(scope, move || {
                while let Some((number, piece)) = next(queue) {
                    // A panic is passed on, since otherwise the consumer would wait for this piece
                    // forever.
                    let worked = catch_unwind(AssertUnwindSafe(|| work(number, piece)));
                    if done.send((number, worked)).is_err() {
                        break;
                    }
                }
            });
            match worker {
                Ok(_) => {}
                Err(error) if number == 0 => return Err(Error::Thread(error)),
                // Those that could be started do the work.
                Err(_) => break,
            }
        }
        drop(done);
        let consumed = in_order(&results, |number, result| {
            consume(number, result?)?;
            // The producer may be done, but its permits are still in the channel.
            let _ = give_back.try_recv();
            Ok(())
        });
        // Pieces still in flight are dropped.
        drop((results, give_back));
        let produced = match producer.join() {
            Ok(produced) => produced,
            Err(panic) => resume_unwind(panic),
        };
        consumed.and(produced)
    })
}

fn next<T>(queue: &Mutex<Receiver<T>>) -> Option<T> {
    let queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
    queue.recv().ok()
}

fn in_order<R>(
    results: &Receiver<(u64, std::thread::Result<Result<R>>)>,
    mut each: impl FnMut(u64, Result<R>) -> Result<()>,
) -> Result<()> {
    let mut waiting = BTreeMap::new();
    let mut number = 0;
    for (at, worked) in results {
        waiting.insert(at, worked.unwrap_or_else(|panic| resume_unwind(panic)));
        while let Some(result) = waiting.remove(&number) {
            each(number, result)?;
            number += 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn fail(name: &str) -> Error {
        Error::damaged(Path::new(name), "planted")
    }

    #[test]
    fn results_come_in_order_and_the_first_error_counts() {
        for threads in 1..=4 {
            let mut seen = Vec::new();
            let work = |n: u64, x: u64| {
                // Earlier pieces are slower.
                std::thread::sleep(std::time::Duration::from_micros(300 - n));
                match n {
                    150 | 151 => Err(fail(&n.to_string())),
                    _ => Ok(x * x),
                }
            };
            let count = |end: u64| {
                move |hand_on: &mut dyn FnMut(u64) -> Result<()>| {
                    (0..end).try_for_each(hand_on)?;
                    Err(fail("producer"))
                }
            };
            let error = run(threads, count(100), work, |_, x| {
                seen.push(x);
                Ok(())
            });
            assert_eq!(seen, (0..100).map(|x| x * x).collect::<Vec<_>>());
            assert!(error.unwrap_err().to_string().starts_with("producer"));
            let error = run(threads, count(300), work, |_, _| Ok(()));
            assert!(error.unwrap_err().to_string().starts_with("150"));
            let error = run(threads, count(300), work, |n, _| match n {
                20 => Err(fail("consumer")),
                _ => Ok(()),
            });
            assert!(error.unwrap_err().to_string().starts_with("consumer"));
        }
    }
}

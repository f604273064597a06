//! Saving and stopping from the page: only if the user allowed it, and only with the token that the
//! terminal printed.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The page's control over training.
#[derive(Clone)]
pub struct Control {
    token: String,
    save: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
}

impl Control {
    /// Control through two flags that the trainer polls. The token comes from the system's random
    /// number generator.
    ///
    /// # Errors
    /// If that generator fails.
    pub fn new(save: Arc<AtomicBool>, stop: Arc<AtomicBool>) -> io::Result<Control> {
        let mut random = [0u8; 16];
        getrandom::fill(&mut random).map_err(|e| io::Error::other(e.to_string()))?;
        let token = run::hex(&random);
        Ok(Control { token, save, stop })
    }

    /// The token to print.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Performs an action; `false` if the token is wrong or the action unknown.
    pub(crate) fn act(&self, token: &str, action: &str) -> bool {
        // Compares every byte, so that the time reveals nothing about the token.
        let pairs = token.bytes().zip(self.token.bytes());
        let differ = pairs.fold(0, |differ, (a, b)| differ | (a ^ b));
        if token.len() != self.token.len() || differ != 0 {
            return false;
        }
        let flag = match action {
            "save" => &self.save,
            "stop" => &self.stop,
            _ => return false,
        };
        flag.store(true, Ordering::Relaxed);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_token_acts() {
        let (save, stop) = (Arc::default(), Arc::default());
        let control = Control::new(save, stop).unwrap();
        let token = control.token().to_owned();
        assert_eq!(token.len(), 32);
        for wrong in ["", &token[1..], &format!("{token}0"), &"0".repeat(32)] {
            assert!(!control.act(wrong, "save"), "{wrong}");
        }
        assert!(!control.act(&token, "format"));
        assert!(!control.save.load(Ordering::Relaxed));
        assert!(control.act(&token, "save"));
        assert!(control.save.load(Ordering::Relaxed) && !control.stop.load(Ordering::Relaxed));
        assert!(control.act(&token, "stop"));
        assert!(control.stop.load(Ordering::Relaxed));
    }
}

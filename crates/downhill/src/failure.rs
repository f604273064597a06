//! Exit codes: 0, or one clear error on standard error and a code that scripts rely on: 2 for a
//! wrong command line or config, 1 for any other failure, 130 after Ctrl-C.

use crate::output::{has_flag, tell, tell_error};
use std::process::ExitCode;

/// Maximum number of lines in an error.
const LINES: usize = 12;

/// A failed command.
#[derive(Debug)]
pub enum Failure {
    /// The command line or the config is wrong.
    Usage(String),
    /// A file, a run or the machine failed.
    Failed(String),
    /// Stopped by Ctrl-C, state saved.
    Interrupted,
    /// Failed, and the details are already printed.
    Reported,
    /// The reader of standard output went away.
    Quiet,
}

impl Failure {
    /// The error without its code.
    pub fn message(&self) -> String {
        match self {
            Failure::Usage(message) | Failure::Failed(message) => message.clone(),
            Failure::Interrupted | Failure::Reported | Failure::Quiet => String::new(),
        }
    }
}

/// What a command returns.
pub type Result<T> = std::result::Result<T, Failure>;

impl From<model::ConfigError> for Failure {
    fn from(error: model::ConfigError) -> Failure {
        Failure::Usage(error.to_string())
    }
}

impl From<train::Error> for Failure {
    fn from(error: train::Error) -> Failure {
        match error {
            train::Error::Config { .. } | train::Error::Fixed(_) => {
                Failure::Usage(error.to_string())
            }
            train::Error::Data(error) => error.into(),
            _ => Failure::Failed(error.to_string()),
        }
    }
}

impl From<study::plane::Error> for Failure {
    fn from(error: study::plane::Error) -> Failure {
        match error {
            study::plane::Error::Stopped => Failure::Interrupted,
            study::plane::Error::Train(error) => error.into(),
            _ => Failure::Failed(error.to_string()),
        }
    }
}

impl From<bench::Error> for Failure {
    fn from(error: bench::Error) -> Failure {
        match error {
            bench::Error::Stopped => Failure::Interrupted,
            bench::Error::Unknown { .. } => Failure::Usage(error.to_string()),
            _ => Failure::Failed(error.to_string()),
        }
    }
}

impl From<data::Error> for Failure {
    fn from(error: data::Error) -> Failure {
        if let data::Error::Stopped = error {
            tell(&error.to_string());
            return Failure::Interrupted;
        }
        match error {
            data::Error::Encoding { .. } => Failure::Usage(error.to_string()),
            _ => Failure::Failed(error.to_string()),
        }
    }
}

macro_rules! failed {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Failure {
                Failure::Failed(error.to_string())
            }
        }
    )*};
}
failed!(
    run::Error,
    text::Error,
    engine::Error,
    session::Error,
    study::fit::Error,
    study::originality::Error
);

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Failure::Quiet,
            _ => Failure::Failed(format!("standard output can't be written: {error}")),
        }
    }
}

/// Prints the error and returns the exit code.
pub fn exit(result: Result<()>) -> ExitCode {
    let (message, code) = match result {
        Ok(()) | Err(Failure::Quiet) => return ExitCode::SUCCESS,
        Err(Failure::Interrupted) => return ExitCode::from(130),
        Err(Failure::Reported) => return ExitCode::FAILURE,
        Err(Failure::Usage(message)) => (message, 2),
        Err(Failure::Failed(message)) => (message, 1),
    };
    let lines: Vec<&str> = message.lines().take(LINES).collect();
    let text = lines.join("\n");
    let text = match has_flag("--json") {
        true => text,
        false => format!("error: {text}"),
    };
    tell_error(&text, code);
    ExitCode::from(code)
}

//! Errors of `fit` and `predict`: what is wrong with a table, where, and what to do.

use std::path::PathBuf;

/// This module's result type.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of `fit` or `predict`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file can't be opened or read.
    #[error("{}: can't be read: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's or the CSV reader's message.
        error: String,
    },
    /// The file is empty.
    #[error("{}: the file is empty; it needs a header line with column names, then one line per point", .0.display())]
    Empty(PathBuf),
    /// The first line has numbers instead of names.
    #[error("{}, line 1: all cells are numbers; the first line must name the columns, for example x,y", .0.display())]
    NoHeader(PathBuf),
    /// A column without a name.
    #[error("{}, line 1: column {column} has no name; name it or remove it", path.display())]
    NoName {
        /// The file.
        path: PathBuf,
        /// The column, from 1.
        column: usize,
    },
    /// Two columns with the same name.
    #[error("{}, line 1: two columns are named {name:?}; rename one", path.display())]
    Duplicate {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// No column to predict the target from.
    #[error("{}, line 1: only one column, {name:?}; the file needs a target and at least one other column, separated by commas", path.display())]
    OneColumn {
        /// The file.
        path: PathBuf,
        /// Its only column.
        name: String,
    },
    /// A landscape with more than two weights.
    #[error("a landscape needs exactly one column besides the target; this fit has {columns}")]
    NotTwoWeights {
        /// Number of columns that the target is predicted from.
        columns: usize,
    },
    /// A requested column is missing.
    #[error("{}: no column {name:?}{role}; it has {columns}", path.display())]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        name: String,
        /// Why it is needed.
        role: &'static str,
        /// The existing columns.
        columns: String,
    },
    /// A row whose length differs from the header's.
    #[error("{}, line {line}: {found} cells, but the header has {expected} columns", path.display())]
    Ragged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// Columns in the header.
        expected: u64,
        /// Cells in the row.
        found: u64,
    },
    /// An invalid cell.
    #[error("{}, line {line}, column {column:?}: {what}", path.display())]
    Cell {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The column.
        column: String,
        /// What is wrong with it.
        what: String,
    },
    /// A header without rows.
    #[error("{}: the file has a header but no rows of numbers", .0.display())]
    NoRows(PathBuf),
    /// Fewer points than weights.
    #[error("{}: {rows} rows are too few for {features} columns and an intercept; at least {} are needed", path.display(), features + 1)]
    FewRows {
        /// The file.
        path: PathBuf,
        /// Rows.
        rows: usize,
        /// Number of columns that the target is predicted from.
        features: usize,
    },
    /// A constant column.
    #[error("{}, column {column:?}: the same value in every row; {advice}", path.display())]
    Constant {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// What to do.
        advice: &'static str,
    },
    /// Sums of squares overflow f64.
    #[error("{}, column {column:?}: the numbers are too large to sum; divide them by a common factor", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
    },
    /// The engine or the trainer failed.
    #[error(transparent)]
    Train(#[from] train::Error),
    /// The run on disk is invalid.
    #[error(transparent)]
    Run(#[from] run::Error),
}

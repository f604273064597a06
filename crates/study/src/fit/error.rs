//! What can be wrong with a table, said once: what, where, and what to do.

use std::path::PathBuf;

/// Result of this module.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of `fit` or `predict`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file can't be opened or read.
    #[error("{}: can't be read: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system or the CSV reader says.
        error: String,
    },
    /// Nothing in the file.
    #[error("{}: the file is empty; a header line with the columns' names and one line a point are needed", .0.display())]
    Empty(PathBuf),
    /// Numbers where the names should be.
    #[error("{}, line 1: only numbers; the first line must name the columns, as x,y", .0.display())]
    NoHeader(PathBuf),
    /// A column without a name.
    #[error("{}, line 1: column {column} has no name; give it one or leave it out", path.display())]
    NoName {
        /// The file.
        path: PathBuf,
        /// The column, from 1.
        column: usize,
    },
    /// Two columns of one name.
    #[error("{}, line 1: two columns are named {name:?}; rename one", path.display())]
    Duplicate {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// A target but nothing to predict it from.
    #[error("{}, line 1: there is one column only, {name:?}; a target and at least one other column are needed, separated by commas", path.display())]
    OneColumn {
        /// The file.
        path: PathBuf,
        /// Its only column.
        name: String,
    },
    /// A landscape of more than two weights.
    #[error(
        "a landscape can be drawn of two weights, one column and the intercept; this fit has {columns} columns"
    )]
    NotTwoWeights {
        /// Columns it is predicted from.
        columns: usize,
    },
    /// A column that is asked for but isn't there.
    #[error("{}: there is no column {name:?}{role}; it has {columns}", path.display())]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        name: String,
        /// What it is needed for.
        role: &'static str,
        /// The columns that are there.
        columns: String,
    },
    /// A row of another length than the header.
    #[error("{}, line {line}: {found} cells where the header has {expected} columns", path.display())]
    Ragged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// Columns.
        expected: u64,
        /// Cells.
        found: u64,
    },
    /// A cell that can't be used.
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
    /// A header and nothing else.
    #[error("{}: there is a header but no row of numbers", .0.display())]
    NoRows(PathBuf),
    /// Too few points for so many weights.
    #[error("{}: {rows} rows are too few for {features} columns and an intercept: at least {} are needed", path.display(), features + 1)]
    FewRows {
        /// The file.
        path: PathBuf,
        /// Rows.
        rows: usize,
        /// Columns to predict from.
        features: usize,
    },
    /// A column that says nothing.
    #[error("{}, column {column:?}: it has the same value in every row: {advice}", path.display())]
    Constant {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// What to do.
        advice: &'static str,
    },
    /// Sums of squares leave the range of f64.
    #[error("{}, column {column:?}: its numbers are too large to add up; divide them by a common factor", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
    },
    /// The engine, or the trainer.
    #[error(transparent)]
    Train(#[from] train::Error),
    /// The run on disk.
    #[error(transparent)]
    Run(#[from] run::Error),
}

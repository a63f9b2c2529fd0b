use super::files;
use crate::tensor_dataset::TensorDataset;
use rushlight_array::{Array, Error, Result};
use rushlight_autograd::Tensor;
use std::collections::BTreeSet;
use std::path::Path;

/// A table from a file of comma-separated values, with a header line: what a data frame is read from.
///
/// Columns are taken as numbers, or as the numbers of their distinct texts.
///
/// ```
/// use rushlight_data::Dataset;
/// use rushlight_data::datasets::CsvTable;
/// let table = CsvTable::parse(b"height,width,kind\n1.5,2,cat\n3,4.5,dog\n2,2,cat\n").unwrap();
/// assert_eq!((table.len(), table.columns()), (3, &["height", "width", "kind"].map(String::from)[..]));
/// assert_eq!(table.features(&["height", "width"]).unwrap().to_vec::<f32>(), [1.5, 2.0, 3.0, 4.5, 2.0, 2.0]);
/// let (labels, classes) = table.labels("kind").unwrap();
/// assert_eq!((labels.to_vec::<i64>(), classes.join(" ")), (vec![0, 1, 0], "cat dog".to_string()));
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct CsvTable {
    /// The file, for messages.
    name: String,
    columns: Vec<String>,
    /// All fields, row by row.
    text: String,
    /// Where each field ends in the text.
    ends: Vec<usize>,
    /// Where each row begins in the file.
    rows: Vec<u64>,
}

/// How a file is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CsvOptions {
    /// Between two fields; the default is a comma.
    pub delimiter: u8,
    /// Whether the first line names the columns; the default is true. Without it they are named `0`, `1`, ...
    pub has_headers: bool,
}

impl Default for CsvOptions {
    fn default() -> Self {
        CsvOptions { delimiter: b',', has_headers: true }
    }
}

impl CsvTable {
    /// Reads a file; with the feature `gzip` also a compressed one.
    ///
    /// # Errors
    /// If it cannot be read, is not UTF-8, or a row has not as many fields as the header: with the file, the line,
    /// the offset and the reason.
    pub fn open(path: impl AsRef<Path>) -> Result<CsvTable> {
        CsvTable::open_with(path, CsvOptions::default())
    }

    /// Reads a file of another form.
    ///
    /// # Errors
    /// As for [`CsvTable::open`].
    pub fn open_with(path: impl AsRef<Path>, options: CsvOptions) -> Result<CsvTable> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let table = CsvTable::parse_with(&files::read(path)?, options);
        match table {
            Ok(table) => Ok(CsvTable { name, ..table }),
            Err(reason) => Err(Error::invalid(name, reason)),
        }
    }

    /// As [`CsvTable::open`], from bytes that are in memory; the error is the reason without a name of a file.
    ///
    /// # Errors
    /// As for [`CsvTable::open`].
    pub fn parse(bytes: &[u8]) -> Result<CsvTable, String> {
        CsvTable::parse_with(bytes, CsvOptions::default())
    }

    /// As [`CsvTable::parse`], of another form.
    ///
    /// # Errors
    /// As for [`CsvTable::open`].
    pub fn parse_with(bytes: &[u8], options: CsvOptions) -> Result<CsvTable, String> {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(options.delimiter)
            .has_headers(false)
            .trim(csv::Trim::All)
            .from_reader(bytes);
        let mut table = CsvTable {
            name: "the table".to_string(),
            columns: Vec::new(),
            text: String::new(),
            ends: Vec::new(),
            rows: Vec::new(),
        };
        let mut row = csv::StringRecord::new();
        while reader.read_record(&mut row).map_err(|error| said(&error))? {
            if table.columns.is_empty() {
                if options.has_headers {
                    table.columns = row.iter().map(str::to_string).collect();
                    continue;
                }
                table.columns = (0..row.len()).map(|i| i.to_string()).collect();
            }
            table.rows.push(row.position().map_or(0, csv::Position::byte));
            for field in &row {
                table.text.push_str(field);
                table.ends.push(table.text.len());
            }
        }
        if table.columns.is_empty() {
            return Err("byte 0: expected a line with the names of the columns, found nothing".to_string());
        }
        Ok(table)
    }

    /// The number of rows, without the header.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The text of one column, row by row.
    ///
    /// # Errors
    /// If there is no such column.
    pub fn texts(&self, column: &str) -> Result<Vec<&str>> {
        let column = self.place(column)?;
        Ok((0..self.len()).map(|row| self.field(row, column)).collect())
    }

    /// Columns as numbers. *Shape*: `(N, D)`, `f32`, D the number of columns.
    ///
    /// # Errors
    /// If there is no such column, or a field is not a number: with its line and offset.
    pub fn features(&self, columns: &[&str]) -> Result<Tensor> {
        let places = columns.iter().map(|column| self.place(column)).collect::<Result<Vec<_>>>()?;
        let mut values = Vec::with_capacity(self.len().saturating_mul(places.len()));
        for row in 0..self.len() {
            for &column in &places {
                values.push(self.number(row, column)?);
            }
        }
        Ok(Array::from_vec(values, [self.len(), places.len()]).into())
    }

    /// One column as numbers. *Shape*: `(N)`, `f32`.
    ///
    /// # Errors
    /// If there is no such column, or a field is not a number: with its line and offset.
    pub fn numbers(&self, column: &str) -> Result<Tensor> {
        let column = self.place(column)?;
        let values = (0..self.len()).map(|row| self.number(row, column)).collect::<Result<Vec<f32>>>()?;
        Ok(Array::from_vec(values, self.len()).into())
    }

    /// One column as classes: for each row the number of its text among the distinct texts, which are sorted.
    /// *Shape*: `(N)`, `i64`; and the texts.
    ///
    /// # Errors
    /// If there is no such column.
    pub fn labels(&self, column: &str) -> Result<(Tensor, Vec<String>)> {
        let texts = self.texts(column)?;
        let classes: Vec<&str> = texts.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let number = |text: &&str| classes.binary_search(text).map_or(-1, |place| place as i64);
        let labels: Vec<i64> = texts.iter().map(number).collect();
        let classes = classes.into_iter().map(str::to_string).collect();
        Ok((Array::from_vec(labels, self.len()).into(), classes))
    }

    /// Pairs of the features and the class of each row.
    ///
    /// # Errors
    /// If there is no such column, or a feature is not a number.
    pub fn dataset(&self, features: &[&str], label: &str) -> Result<TensorDataset> {
        Ok(TensorDataset::new(self.features(features)?, self.labels(label)?.0))
    }

    fn place(&self, column: &str) -> Result<usize> {
        self.columns.iter().position(|name| name == column).ok_or_else(|| {
            let reason =
                format!("there is no column '{column}'; the columns are [{}]", self.columns.join(", "));
            Error::invalid(self.name.clone(), reason)
        })
    }

    fn field(&self, row: usize, column: usize) -> &str {
        let i = row * self.columns.len() + column;
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.text[start..self.ends[i]]
    }

    fn number(&self, row: usize, column: usize) -> Result<f32> {
        let text = self.field(row, column);
        text.parse().map_err(|_| {
            let (name, byte) = (&self.columns[column], self.rows[row]);
            let reason =
                format!("row {row} (from byte {byte}), column '{name}': expected a number, found '{text}'");
            Error::invalid(self.name.clone(), reason)
        })
    }
}

/// Place and reason, without the crate's own form.
fn said(error: &csv::Error) -> String {
    let place = |position: &Option<csv::Position>| {
        position.as_ref().map_or(String::new(), |p| format!("byte {} (line {}): ", p.byte(), p.line()))
    };
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            format!("{}expected {expected_len} fields as in the first line, found {len}", place(pos))
        }
        csv::ErrorKind::Utf8 { pos, err } => format!("{}expected UTF-8 text, found {err}", place(pos)),
        _ => error.to_string(),
    }
}

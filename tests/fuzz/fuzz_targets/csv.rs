//! Tables: every column of what is read can be asked for.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rushlight_data::datasets::CsvTable;

fuzz_target!(|bytes: &[u8]| {
    let Ok(table) = CsvTable::parse(bytes) else { return };
    for column in table.columns() {
        assert_eq!(table.texts(column).unwrap().len(), table.len());
        assert_eq!(table.labels(column).unwrap().0.len(), table.len());
        let _ = table.numbers(column);
    }
});

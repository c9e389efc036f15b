//! The lower bound of reading: `sqlite3_step`, with each column fetched and dropped.

use std::ffi::CStr;
use std::hint::black_box;

use rusqlite::{Connection, ffi};

/// Steps through all rows of `sql` and fetches each column in its type. Returns the number of rows.
pub fn through(connection: &Connection, sql: &str) -> usize {
    let sql = std::ffi::CString::new(sql).expect("SQL has no NUL");
    // SAFETY: the connection outlives the statement, which is finalized before returning.
    unsafe {
        let mut statement = std::ptr::null_mut();
        let prepared = ffi::sqlite3_prepare_v2(
            connection.handle(),
            sql.as_ptr(),
            -1,
            &mut statement,
            std::ptr::null_mut(),
        );
        assert_eq!(
            prepared,
            ffi::SQLITE_OK,
            "{:?}",
            CStr::from_ptr(ffi::sqlite3_errmsg(connection.handle()))
        );
        let columns = ffi::sqlite3_column_count(statement);
        let mut rows = 0;
        while ffi::sqlite3_step(statement) == ffi::SQLITE_ROW {
            for column in 0..columns {
                fetch(statement, column);
            }
            rows += 1;
        }
        ffi::sqlite3_finalize(statement);
        rows
    }
}

unsafe fn fetch(statement: *mut ffi::sqlite3_stmt, column: i32) {
    // SAFETY: the statement is on a row with this column.
    unsafe {
        match ffi::sqlite3_column_type(statement, column) {
            ffi::SQLITE_INTEGER => {
                black_box(ffi::sqlite3_column_int64(statement, column));
            }
            ffi::SQLITE_FLOAT => {
                black_box(ffi::sqlite3_column_double(statement, column));
            }
            ffi::SQLITE_TEXT => {
                black_box(ffi::sqlite3_column_text(statement, column));
                black_box(ffi::sqlite3_column_bytes(statement, column));
            }
            _ => {}
        }
    }
}

//! Damaged objects mended in place, from bytes that somebody else still has.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use holdfast_engine::object::ObjectStat;
use holdfast_engine::tree::BLOCK_BYTES;
use holdfast_partition::objects::ObjectFile;

use super::OpenShelf;
use crate::local::failure::Failure;

/// Writes the blocks of an object that are not what was stored again from a file that has its bytes, in place. Returns how
/// many. The store is open for writing, and the file was just found to have the object's root.
pub fn mend(shelf: &OpenShelf, stat: &ObjectStat, path: &Path) -> Result<u64, Failure> {
    let verify = || shelf.objects.verify(&stat.cid).map_err(|error| shelf.failed(error));
    if verify()?.is_sound() {
        return Ok(0);
    }
    let failed = |error| Failure::file("read", path, error);
    if !path.is_file() {
        return Err(Failure::State {
            message: format!("{} was there already, and is damaged", stat.cid),
            advice: "store it again from a regular file, which can be read twice".to_owned(),
        });
    }
    let source = File::open(path).map_err(failed)?;
    let data_path = shelf.objects.store().file_path(stat.root, ObjectFile::Data);
    let broken = |error| Failure::file("mend", &data_path, error);
    let data = OpenOptions::new().read(true).write(true).open(&data_path).map_err(broken)?;
    let (mut right, mut found) = (vec![0; BLOCK_BYTES], vec![0; BLOCK_BYTES]);
    let mut mended = 0;
    for offset in (0..stat.bytes).step_by(BLOCK_BYTES) {
        let length = usize::try_from(stat.bytes - offset).map_or(BLOCK_BYTES, |left| left.min(BLOCK_BYTES));
        source.read_exact_at(&mut right[..length], offset).map_err(failed)?;
        // A sector that cannot be read is written like one with other bytes.
        let same =
            data.read_exact_at(&mut found[..length], offset).is_ok() && found[..length] == right[..length];
        if !same {
            data.write_all_at(&right[..length], offset).map_err(broken)?;
            mended += 1;
        }
    }
    data.sync_all().map_err(broken)?;
    shelf.objects.mend_outboard(&stat.cid).map_err(|error| shelf.failed(error))?;
    if verify()?.is_sound() {
        return Ok(mended);
    }
    Err(Failure::State {
        message: format!("{} is still damaged after {mended} blocks were written again", stat.cid),
        advice: "do not trust this disk".to_owned(),
    })
}

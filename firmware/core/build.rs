//! A hash of the rules: of every source file of this crate and of the wire's, so that a host and a board that
//! were not built from the same ones find out at hello.

use std::{env, fs, path::PathBuf};

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let mut files = Vec::new();
    for folder in ["src", "../wire/src"] {
        let folder = root.join(folder);
        println!("cargo:rerun-if-changed={}", folder.display());
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        files.extend(
            entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "rs")),
        );
    }
    // By name, not by path: the same sources elsewhere are the same rules.
    files.sort_by_key(|path| {
        (path.parent().map(|p| p.ends_with("wire/src")), path.file_name().map(ToOwned::to_owned))
    });
    // FNV-1a, without the line ends that a checkout may change.
    let mut hash = 0x811C_9DC5_u32;
    for byte in files.iter().flat_map(|path| fs::read(path).unwrap_or_default()).filter(|byte| *byte != b'\r')
    {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    println!("cargo:rustc-env=TRAS_DEVICE_BUILD={hash}");
}

//! What the image of the sandboxes is called, and how it is described to an engine.
//!
//! Its tag is a hash of what it is made of, so that a change of the configuration is another image
//! and the same configuration is never built twice. Not here: engines.

use moltis_core::error::{Code, Error, Result};
use sha2::{Digest as _, Sha256};

/// The repository of the images that Moltis makes.
pub(crate) const REPOSITORY: &str = "moltis-sandbox";

/// The label that they carry; its value is the base.
pub(crate) const LABEL: &str = "moltis.image";

/// What an image is made of. Both have been checked: neither can say more than it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recipe {
    pub(crate) base: String,
    /// Sorted, each once.
    packages: Vec<String>,
}

impl Recipe {
    /// Checks what the configuration says.
    pub(crate) fn new(base: &str, packages: &[String]) -> Result<Self> {
        let is_base = |letter: char| letter.is_ascii_alphanumeric() || "._-/:@".contains(letter);
        if base.is_empty() || base.starts_with('-') || !base.chars().all(is_base) {
            return Err(Error::new(Code::Invalid, format!("`{base}` is no name of an image")));
        }
        let is_package =
            |letter: char| letter.is_ascii_alphanumeric() || "._-+:=~".contains(letter);
        let mut sorted = packages.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        for package in &sorted {
            if package.is_empty() || package.starts_with('-') || !package.chars().all(is_package) {
                return Err(Error::new(Code::Invalid, format!("`{package}` is no package")));
            }
        }
        Ok(Self { base: base.to_owned(), packages: sorted })
    }

    /// Nothing is added to the base: it is used as it is.
    pub(crate) fn is_plain(&self) -> bool {
        self.packages.is_empty()
    }

    /// What sandboxes are made of.
    pub(crate) fn tag(&self) -> String {
        if self.is_plain() {
            return self.base.clone();
        }
        let mut hasher = Sha256::new();
        hasher.update(self.dockerfile());
        let hash: String =
            hasher.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        format!("{REPOSITORY}:{hash}")
    }

    /// How it is made. The base's own package manager is found when it is.
    pub(crate) fn dockerfile(&self) -> String {
        let packages = self.packages.join(" ");
        format!(
            "FROM {}\nUSER 0\nRUN set -e; \\\n\
             if command -v apt-get >/dev/null; then export DEBIAN_FRONTEND=noninteractive; \
             apt-get update -q; apt-get install -y -q --no-install-recommends {packages}; \
             rm -rf /var/lib/apt/lists/*; \\\n\
             elif command -v apk >/dev/null; then apk add --no-cache {packages}; \\\n\
             elif command -v dnf >/dev/null; then dnf install -y {packages}; dnf clean all; \\\n\
             else echo 'the base has none of apt-get, apk and dnf' >&2; exit 1; fi\n",
            self.base
        )
    }

    /// What an engine builds from: a tar archive with the description in it.
    pub(crate) fn archive(&self) -> Vec<u8> {
        archive("Dockerfile", self.dockerfile().as_bytes())
    }
}

/// A tar archive (POSIX ustar) of one small file.
fn archive(name: &str, content: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 512;
    let mut header = [0u8; BLOCK];
    let mut put = |at: usize, text: &[u8]| {
        for (to, from) in header[at..].iter_mut().zip(text) {
            *to = *from;
        }
    };
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", content.len()).as_bytes());
    put(136, b"00000000000\0");
    // The sum is made with spaces where it will be.
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    for (to, from) in header[148..].iter_mut().zip(format!("{sum:06o}\0 ").as_bytes()) {
        *to = *from;
    }
    let mut archive = header.to_vec();
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    archive
}

#[cfg(test)]
#[path = "image_tests.rs"]
mod tests;

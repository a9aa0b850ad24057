//! Colours that colour-blind readers can tell apart, given to clusters so that neighbours differ.

/// Background of a figure.
///
/// # Example
/// ```
/// use sapwood::plot::{Figure, Theme};
///
/// let figure = Figure::losses(&[("training", &[3.0, 2.0, 1.5])])?;
/// assert_ne!(figure.clone().theme(Theme::Dark).to_svg(), figure.to_svg());
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// Dark on white.
    #[default]
    Light,
    /// Light on near-black.
    Dark,
}

/// A colour: red, green, blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rgb(pub(crate) [u8; 3]);

impl Rgb {
    const fn hex(code: u32) -> Self {
        Self([(code >> 16) as u8, (code >> 8) as u8, code as u8])
    }

    /// This colour, moved by `share` of the way to `other`.
    pub(crate) fn mixed(self, other: Self, share: f64) -> Self {
        let Self([r, g, b]) = self;
        let Self([s, h, c]) = other;
        let mix =
            |from: u8, to: u8| (f64::from(from) + share * (f64::from(to) - f64::from(from))).round() as u8;
        Self([mix(r, s), mix(g, h), mix(b, c)])
    }
}

impl std::fmt::Display for Rgb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self([r, g, b]) = self;
        write!(f, "#{r:02x}{g:02x}{b:02x}")
    }
}

pub(crate) const BLACK: Rgb = Rgb::hex(0x00_00_00);
const WHITE: Rgb = Rgb::hex(0xff_ff_ff);

/// Okabe & Ito (2008), without black and with the yellow a little darker, to stand on white.
const HUES: [Rgb; 7] = [
    Rgb::hex(0x00_9e_73),
    Rgb::hex(0xe6_9f_00),
    Rgb::hex(0x00_72_b2),
    Rgb::hex(0xd5_5e_00),
    Rgb::hex(0xcc_79_a7),
    Rgb::hex(0x56_b4_e9),
    Rgb::hex(0xe3_cf_2d),
];

/// Number of colours for clusters: each hue as it is, darker and lighter.
pub(crate) const N_COLOURS: usize = 3 * HUES.len();

impl Theme {
    pub(crate) fn background(self) -> Rgb {
        Rgb::hex(if self == Self::Light { 0xff_ff_ff } else { 0x0f_14_1a })
    }

    pub(crate) fn text(self) -> Rgb {
        Rgb::hex(if self == Self::Light { 0x1f_29_33 } else { 0xe8_ec_f0 })
    }

    pub(crate) fn soft_text(self) -> Rgb {
        Rgb::hex(if self == Self::Light { 0x5f_6c_7b } else { 0x97_a3_b0 })
    }

    pub(crate) fn grid(self) -> Rgb {
        Rgb::hex(if self == Self::Light { 0xe9_ec_ef } else { 0x20_28_31 })
    }

    pub(crate) fn noise(self) -> Rgb {
        Rgb::hex(if self == Self::Light { 0xc3_c9_d0 } else { 0x48_52_5e })
    }

    /// Colour number `i` of the clusters, below [`N_COLOURS`].
    pub(crate) fn colour(self, i: usize) -> Rgb {
        // On black every hue is a little lighter.
        let (lift, darker) = if self == Self::Light { (0.0, 0.36) } else { (0.14, 0.3) };
        let hue = HUES[i % HUES.len()].mixed(WHITE, lift);
        match i / HUES.len() {
            0 => hue,
            1 => hue.mixed(BLACK, darker),
            _ => hue.mixed(WHITE, 0.45),
        }
    }
}

/// A colour number for each cluster: clusters near one another in the picture get different ones.
///
/// `discs` are middle x, y and radius of the clusters in the picture, largest cluster first. Each takes the colour whose
/// earlier users are farthest away, counted by the sum of inverse squared distances from rim to rim; another lightness of
/// the same hue counts a quarter. So the first seven get the seven hues.
pub(crate) fn assign(discs: &[[f64; 3]]) -> Vec<usize> {
    // Beyond this number a quadratic search would be felt, and such clusters are specks.
    const SEARCHED: usize = 1500;
    let mut colours: Vec<usize> = Vec::with_capacity(discs.len());
    for (i, &[x, y, r]) in discs.iter().enumerate() {
        if i >= SEARCHED {
            colours.push(i % N_COLOURS);
            continue;
        }
        let mut crowding = [0.0; N_COLOURS];
        for (&colour, &[u, v, s]) in colours.iter().zip(discs) {
            let gap = ((x - u).hypot(y - v) - r - s).max(0.0);
            let near = 1.0 / (100.0 + gap * gap);
            crowding[colour] += near;
            for lightness in 0..N_COLOURS / HUES.len() {
                crowding[lightness * HUES.len() + colour % HUES.len()] += near / 4.0;
            }
        }
        let calmest = (0..N_COLOURS).min_by(|&a, &b| crowding[a].total_cmp(&crowding[b]));
        colours.push(calmest.unwrap_or(0));
    }
    colours
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_clusters_get_the_hues_as_they_are() {
        let colours = assign(&[[5.0, 5.0, 1.0]; 9]);
        assert_eq!(colours[..7], [0, 1, 2, 3, 4, 5, 6]);
        assert!(colours[7] >= 7 && colours[8] >= 7 && colours[7] != colours[8]);
    }

    #[test]
    fn neighbours_in_a_row_differ() {
        let discs: Vec<_> = (0..2000).map(|i| [f64::from(i) * 10.0, 0.0, 4.0]).collect();
        let colours = assign(&discs);
        for (i, window) in colours.windows(8).enumerate() {
            let mut distinct = window.to_vec();
            distinct.sort_unstable();
            distinct.dedup();
            assert!(distinct.len() >= 5, "{window:?} at {i}");
        }
    }

    #[test]
    fn nothing_on_a_large_cluster_has_its_colour() {
        let mut discs = vec![[300.0, 300.0, 250.0]];
        discs.extend((0..40).map(|i| [100.0 + 10.0 * f64::from(i), 350.0, 3.0]));
        let colours = assign(&discs);
        assert!(colours[1..].iter().all(|&colour| colour != colours[0]));
    }

    #[test]
    fn colours_mix_and_print() {
        assert_eq!(BLACK.mixed(WHITE, 0.5).to_string(), "#808080");
        for theme in [Theme::Light, Theme::Dark] {
            let all: std::collections::HashSet<_> =
                (0..N_COLOURS).map(|i| theme.colour(i).to_string()).collect();
            assert_eq!(all.len(), N_COLOURS);
        }
    }
}

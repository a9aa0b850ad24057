//! Pictures of clusters and curves as SVG, without a drawing library.
//!
//! Every figure is a [`Figure`]: one of its constructors takes the data, setters name things, and
//! [`to_svg`](Figure::to_svg) or [`save`](Figure::save) writes it. A picture of a million points stays under 1.5 MB,
//! because points that fall on one cell of the figure are drawn once. Nothing in data makes a figure fail: values that are
//! not finite are left out, and no points give an empty frame that says so.

mod axis;
mod canvas;
mod cloud;
mod evaluation;
mod graph;
mod line;
mod marks;
mod palette;
mod panels;
mod ribbon;
mod scatter;
mod surface;
#[cfg(test)]
mod tests;
mod training;

pub use palette::Theme;
pub use panels::panels;

use std::path::Path;

use linfa::dataset::Label;
use ndarray::{ArrayBase, Data, Ix2};

use crate::data::check_same_rows;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::markov::MarkovChain;
use crate::params::require;
use evaluation::Matrix;
use graph::{Graph, MOST_STATES};
use line::Curve;
use ribbon::Ribbon;
use scatter::Points;
use surface::Surface;

/// A figure that can be named, themed and written.
///
/// # Example
/// ```
/// use sapwood::{ndarray::array, plot::{Figure, Theme}};
///
/// let points = array![[0.0, 0.0], [0.1, 0.0], [5.0, 5.0], [5.1, 5.0], [9.0, 0.0]];
/// let labels = [Some(0), Some(0), Some(1), Some(1), None];
/// let svg = Figure::clusters(&points, &labels)?
///     .title("Two pairs")
///     .axes(["x (m)", "y (m)"])
///     .theme(Theme::Dark)
///     .to_svg();
/// assert!(svg.starts_with("<svg") && svg.contains("Two pairs") && svg.contains("x (m)"));
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Figure {
    title: String,
    subtitle: String,
    axes: Vec<String>,
    theme: Theme,
    view: (f64, f64),
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    Plane(Points, usize),
    Space(Points, usize),
    Curve(Curve),
    Graph(Graph),
    Matrix(Matrix),
    Ribbon(Ribbon),
    Surface(Surface),
}

impl Figure {
    /// Points coloured by cluster, noise in grey.
    ///
    /// Two columns are drawn in the plane. Three or more are drawn in space by the first three, z up, seen from
    /// [`view`](Self::view), unless z spans less than a fiftieth of x or y: then from straight above. One column is drawn over the number of the row. Lengths in every direction are to one scale, as they
    /// are to a distance; only in the plane, where one side is over twelve times the other, each axis has its own.
    ///
    /// The legend lists clusters from the largest down. Colours are those of Okabe and Ito, which colour-blind readers can tell
    /// apart, in three lightnesses; clusters that lie close together get different ones.
    ///
    /// # Shapes
    /// `points` is `(n, d)`, `labels` has `n` entries; `None` is noise.
    ///
    /// # Errors
    /// [`Error::Shape`] where the number of labels is not the number of rows.
    ///
    /// # Complexity
    /// Time and memory O(n) for the points, O(min(k, 1500)^2) for the colours of k clusters.
    pub fn clusters<'a, F: Float, S: Data<Elem = F>>(
        points: &ArrayBase<S, Ix2>,
        labels: impl IntoIterator<Item = &'a Option<usize>>,
    ) -> Result<Self> {
        let labels: Vec<Option<usize>> = labels.into_iter().copied().collect();
        check_same_rows("labels", labels.len(), points.nrows())?;
        let d = points.ncols();
        let positions = points.rows().into_iter().enumerate().map(|(i, row)| match d {
            0 => [i as f64, 0.0, 0.0],
            1 => [row[0].as_f64(), i as f64, 0.0],
            2 => [row[0].as_f64(), row[1].as_f64(), 0.0],
            _ => [row[0].as_f64(), row[1].as_f64(), row[2].as_f64()],
        });
        let points = Points::new(positions, &labels);
        let (k, n) = (points.sizes.len(), labels.len());
        let n_noise = labels.iter().filter(|label| label.is_none()).count();
        let title = format!("{} in {}", counted(k, "cluster"), counted(n, "point"));
        let axes = match d {
            1 => ["x", "row", ""],
            _ => ["x", "y", "z"],
        };
        let content = if d > 2 && !points.is_flat() {
            Content::Space(points, n_noise)
        } else {
            Content::Plane(points, n_noise)
        };
        Ok(Self::new(title, axes, content))
    }

    /// A curve of `y` over `x`; it breaks nowhere, and at most 1,000 vertices of it are drawn.
    ///
    /// # Errors
    /// [`Error::Shape`] where the two differ in length.
    ///
    /// # Example
    /// ```
    /// use sapwood::plot::Figure;
    ///
    /// let svg = Figure::curve(&[1.0, 2.0, 3.0], &[0.9, 0.4, 0.3])?
    ///     .title("Loss")
    ///     .axes(["epoch", "loss"])
    ///     .mark(3.0, 0.3, "lowest")
    ///     .to_svg();
    /// assert!(svg.contains("lowest"));
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn curve<'a, F: Float>(
        x: impl IntoIterator<Item = &'a F>,
        y: impl IntoIterator<Item = &'a F>,
    ) -> Result<Self> {
        let x: Vec<f64> = x.into_iter().map(|v| v.as_f64()).collect();
        let y: Vec<f64> = y.into_iter().map(|v| v.as_f64()).collect();
        check_same_rows("y", y.len(), x.len())?;
        let curve = Curve { x, y, ..Curve::default() };
        Ok(Self::new(String::new(), ["x", "y", ""], Content::Curve(curve)))
    }

    /// Several curves in one frame, `(name, x, y)` each, with a legend.
    ///
    /// # Errors
    /// [`Error::Shape`] where an `x` and its `y` differ in length, and without a curve.
    ///
    /// # Example
    /// ```
    /// use sapwood::plot::Figure;
    ///
    /// let x = [1.0, 2.0, 3.0];
    /// let svg = Figure::curves(&[("LSTM", &x, &[0.9, 0.4, 0.3]), ("RNN", &x, &[0.9, 0.8, 0.8])])?.to_svg();
    /// assert!(svg.contains("LSTM") && svg.contains("RNN"));
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn curves<F: Float, X: AsRef<[F]>, Y: AsRef<[F]>>(curves: &[(&str, X, Y)]) -> Result<Self> {
        let mut all = Vec::new();
        for (name, x, y) in curves {
            let (x, y) = (x.as_ref(), y.as_ref());
            check_same_rows("y", y.len(), x.len())?;
            let values = |x: &[F]| x.iter().map(|x| x.as_f64()).collect();
            all.push(Curve { name: (*name).to_owned(), x: values(x), y: values(y), ..Curve::default() });
        }
        if all.is_empty() {
            return Err(Error::shape("curves", "at least one curve", 0));
        }
        let first = all.remove(0);
        let axes = ["x", "y", ""];
        Ok(Self::new(String::new(), axes, Content::Curve(Curve { others: all, ..first })))
    }

    /// The curve of distances to the k-th neighbour, in ascending order, with its knee marked.
    ///
    /// The height of the knee is a start for `eps`: points left of it lie in dense places, points right of it are far from others.
    ///
    /// # Example
    /// ```
    /// use sapwood::plot::Figure;
    ///
    /// let svg = Figure::k_distance(&[0.1, 0.1, 0.2, 4.0, 9.0], 2).to_svg();
    /// assert!(svg.contains("eps = 0.2"));
    /// ```
    #[must_use]
    pub fn k_distance<'a, F: Float>(distances: impl IntoIterator<Item = &'a F>, knee: usize) -> Self {
        let y: Vec<f64> = distances.into_iter().map(|v| v.as_f64()).collect();
        let marks = y.get(knee).map(|&eps| (knee as f64, eps, format!("eps = {}", short(eps))));
        let curve = Curve {
            x: (0..y.len()).map(|i| i as f64).collect(),
            y,
            marks: marks.into_iter().collect(),
            ..Curve::default()
        };
        let axes = ["points, from the densest place to the sparsest", "distance to the k-th neighbour", ""];
        Self::new("Distance to the k-th neighbour".to_owned(), axes, Content::Curve(curve))
    }

    /// The transition graph of a Markov chain: states on a circle, an arrow for each step of at least `min_probability`, thicker where it is more probable.
    ///
    /// # Errors
    /// [`Error::Parameter`] for more than 60 states, which nobody could read; [`to_dot`](MarkovChain::to_dot) has no such limit.
    ///
    /// # Example
    /// ```
    /// use sapwood::{MarkovChain, ndarray::array, plot::Figure};
    ///
    /// let matrix = array![[0.9, 0.1], [0.5, 0.5]];
    /// let weather = MarkovChain::from_matrix(vec!["sun", "rain"], &[0.5, 0.5], matrix.view())?;
    /// let svg = Figure::chain(&weather, 0.05)?.title("Weather").to_svg();
    /// assert!(svg.contains("rain") && svg.contains("0.9"));
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn chain<L: Label>(chain: &MarkovChain<L>, min_probability: f64) -> Result<Self> {
        let n = chain.n_states();
        require(n <= MOST_STATES, "chain", "of at most 60 states", n)?;
        let name = |label: &L| format!("{label:?}").trim_matches('"').to_owned();
        let edges = (0..n).flat_map(|i| chain.steps(i).map(move |(j, p)| (i, j, p)));
        let graph = Graph {
            names: chain.states().iter().map(name).collect(),
            edges: edges.filter(|edge| edge.2 > 0.0 && edge.2 >= min_probability).collect(),
        };
        let title = format!("Transitions of {}", counted(n, "state"));
        Ok(Self::new(title, ["", "", ""], Content::Graph(graph)))
    }

    fn new(title: String, axes: [&str; 3], content: Content) -> Self {
        let axes = axes.map(str::to_owned).to_vec();
        Self { title, subtitle: String::new(), axes, theme: Theme::Light, view: (-60.0, 32.0), content }
    }

    /// A surface seen from above in bands of height, and named paths over it, each from a ring to a dot.
    ///
    /// The lower a band, the stronger; they are narrower where the surface is low, by the root of the height above the lowest point. `height` is
    /// asked for the whole frame around the paths; where it is not finite, nothing is drawn.
    ///
    /// # Example
    /// ```
    /// use sapwood::plot::Figure;
    ///
    /// let path: Vec<[f64; 2]> = (0..30).map(|i| [3.0 * 0.8_f64.powi(i), 2.0 * 0.8_f64.powi(i)]).collect();
    /// let svg = Figure::surface(|[x, y]| x * x + y * y, &[("straight down", &path)]).title("A bowl").to_svg();
    /// assert!(svg.contains("straight down"));
    /// ```
    #[must_use]
    pub fn surface(height: impl Fn([f64; 2]) -> f64, paths: &[(&str, &[[f64; 2]])]) -> Self {
        let title = format!("{} over a surface", counted(paths.len(), "path"));
        Self::new(title, ["x", "y", ""], Content::Surface(Surface::new(height, paths)))
    }

    /// The line at the top.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// The smaller line beneath the title.
    #[must_use]
    pub fn subtitle(mut self, subtitle: impl Into<String>) -> Self {
        self.subtitle = subtitle.into();
        self
    }

    /// Names of the axes with their units, `["x (m)", "y (m)", "z (m)"]`; those not given stay as they are.
    #[must_use]
    pub fn axes<const N: usize>(mut self, names: [&str; N]) -> Self {
        for (axis, name) in self.axes.iter_mut().zip(names) {
            name.clone_into(axis);
        }
        self
    }

    /// Light (default) or dark.
    #[must_use]
    pub fn theme(mut self, theme: Theme) -> Self {
        self.theme = theme;
        self
    }

    /// Where points in space are seen from, in degrees (default -60 and 32).
    ///
    /// `azimuth` turns counter-clockwise from the x axis; `elevation` is 0 from the side, 90 from above.
    #[must_use]
    pub fn view(mut self, azimuth: f64, elevation: f64) -> Self {
        self.view = (azimuth, elevation);
        self
    }

    /// A logarithmic y axis, on curves; values that are not positive are left out.
    #[must_use]
    pub fn log_y(mut self) -> Self {
        if let Content::Curve(curve) = &mut self.content {
            curve.log_y = true;
        }
        self
    }

    /// A ring with a text at a point of a curve.
    #[must_use]
    pub fn mark(mut self, x: f64, y: f64, text: impl Into<String>) -> Self {
        if let Content::Curve(curve) = &mut self.content {
            curve.marks.push((x, y, text.into()));
        }
        self
    }

    /// The SVG document.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let Self { title, subtitle, axes, theme, view, content } = self;
        match content {
            Content::Plane(points, n_noise) => points.draw_plane(*theme, title, subtitle, axes, *n_noise),
            Content::Space(points, n_noise) => {
                points.draw_space(*theme, title, subtitle, axes, *n_noise, *view)
            }
            Content::Curve(curve) => curve.draw(*theme, title, subtitle, axes),
            Content::Graph(graph) => graph.draw(*theme, title, subtitle),
            Content::Matrix(matrix) => matrix.draw(*theme, title, subtitle, axes),
            Content::Ribbon(ribbon) => ribbon.draw(*theme, title, subtitle, axes),
            Content::Surface(surface) => surface.draw(*theme, title, subtitle, axes),
        }
    }

    /// Writes the SVG document to a file.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        std::fs::write(path, self.to_svg()).map_err(|source| Error::Io { path: path.to_owned(), source })
    }
}

/// "1 cluster", "12 clusters".
fn counted(n: usize, noun: &str) -> String {
    format!("{} {noun}{}", axis::count(n), if n == 1 { "" } else { "s" })
}

/// `value` to three digits.
fn short(value: f64) -> String {
    let decimals = if value == 0.0 { 0.0 } else { (2.0 - value.abs().log10().floor()).clamp(0.0, 12.0) };
    let text = format!("{value:.*}", decimals as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

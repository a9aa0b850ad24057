//! Which states reach each other: communicating classes and their periods.

use linfa::dataset::Label;

use super::MarkovChain;

/// States that all reach each other.
///
/// # Example
/// ```
/// use sapwood::{MarkovChain, ndarray::array};
///
/// let chain = MarkovChain::from_matrix(vec!["a", "b", "end"], &[1.0, 0.0, 0.0], array![[0.0, 1.0, 0.0], [0.5, 0.0, 0.5], [0.0, 0.0, 1.0]].view())?;
/// let classes = chain.classes();
/// assert_eq!(classes.len(), 2);
/// assert!(classes.iter().any(|class| class.is_absorbing() && class.states == [2]));
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct CommunicatingClass {
    /// The states, ascending.
    pub states: Vec<usize>,
    /// Whether the chain never leaves the class. Otherwise the class is transient: it is left for good sooner or later.
    pub is_recurrent: bool,
    /// Greatest common divisor of the lengths of all ways back: 1 is aperiodic, 0 says that there is no way back.
    pub period: usize,
}

impl CommunicatingClass {
    /// Whether the class is one state that is never left.
    #[must_use]
    pub fn is_absorbing(&self) -> bool {
        self.is_recurrent && self.states.len() == 1
    }
}

impl<L: Label> MarkovChain<L> {
    /// The communicating classes, by their smallest states.
    ///
    /// # Complexity
    /// `O(n_states + n_transitions)` time and memory, without recursion.
    ///
    /// # Example
    /// ```
    /// use sapwood::{MarkovChain, ndarray::array};
    ///
    /// // 0 leads to 1 and 2, which take turns.
    /// let matrix = array![[0.5, 0.5, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]];
    /// let chain = MarkovChain::from_matrix(vec![0, 1, 2], &[1.0, 0.0, 0.0], matrix.view())?;
    /// let classes = chain.classes();
    /// assert_eq!((classes[0].is_recurrent, classes[0].period), (false, 1));
    /// assert_eq!((classes[1].is_recurrent, classes[1].period), (true, 2));
    /// assert_eq!(classes[1].states, [1, 2]);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    ///
    /// # References
    /// R. Tarjan, Depth-first search and linear graph algorithms (1972).
    #[must_use]
    pub fn classes(&self) -> Vec<CommunicatingClass> {
        let class_of = self.components();
        let n_classes = class_of.iter().max().map_or(0, |last| last + 1);
        let mut classes =
            vec![CommunicatingClass { states: Vec::new(), is_recurrent: true, period: 0 }; n_classes];
        for (state, &class) in class_of.iter().enumerate() {
            classes[class].states.push(state);
            classes[class].is_recurrent &= self.goes(state).all(|to| class_of[to] == class);
        }
        self.find_periods(&class_of, &mut classes);
        classes.sort_by_key(|class| class.states[0]);
        classes
    }

    /// Whether every state reaches every other.
    #[must_use]
    pub fn is_irreducible(&self) -> bool {
        self.classes().len() == 1
    }

    /// Whether the chain is irreducible and aperiodic: from any start it tends to one stationary distribution.
    #[must_use]
    pub fn is_ergodic(&self) -> bool {
        matches!(&self.classes()[..], [class] if class.period == 1)
    }

    /// The states in recurrent classes, ascending.
    #[must_use]
    pub fn recurrent_states(&self) -> Vec<usize> {
        self.states_where(|class| class.is_recurrent)
    }

    /// The states that are left for good sooner or later, ascending.
    #[must_use]
    pub fn transient_states(&self) -> Vec<usize> {
        self.states_where(|class| !class.is_recurrent)
    }

    /// The states that are never left, ascending.
    #[must_use]
    pub fn absorbing_states(&self) -> Vec<usize> {
        self.states_where(CommunicatingClass::is_absorbing)
    }

    fn states_where(&self, keep: impl Fn(&CommunicatingClass) -> bool) -> Vec<usize> {
        let classes = self.classes();
        let mut states: Vec<usize> =
            classes.iter().filter(|class| keep(class)).flat_map(|class| class.states.clone()).collect();
        states.sort_unstable();
        states
    }

    /// The states that a state reaches in one step; a stored probability of 0 is no step.
    pub(super) fn goes(&self, state: usize) -> impl Iterator<Item = usize> + '_ {
        self.transitions.row(state).filter(|step| step.1 > 0.0).map(|step| step.0)
    }

    /// The number of each state's strongly connected component: Tarjan's search, with its stack on the heap.
    fn components(&self) -> Vec<usize> {
        const NEW: usize = usize::MAX;
        let n = self.n_states();
        let (mut order, mut low, mut class_of) = (vec![NEW; n], vec![0; n], vec![NEW; n]);
        let (mut n_seen, mut n_classes) = (0, 0);
        let mut open = Vec::new();
        // Each frame is a state and its steps that are still to be looked at.
        let mut frames: Vec<(usize, Vec<usize>)> = Vec::new();
        for root in 0..n {
            if order[root] != NEW {
                continue;
            }
            let mut enter = Some(root);
            loop {
                if let Some(state) = enter.take() {
                    (order[state], low[state]) = (n_seen, n_seen);
                    n_seen += 1;
                    open.push(state);
                    frames.push((state, self.goes(state).collect()));
                }
                let Some((state, todo)) = frames.last_mut() else { break };
                let state = *state;
                match todo.pop() {
                    Some(to) if order[to] == NEW => enter = Some(to),
                    Some(to) => {
                        if class_of[to] == NEW {
                            low[state] = low[state].min(order[to]);
                        }
                    }
                    None => {
                        frames.pop();
                        if let Some((parent, _)) = frames.last() {
                            low[*parent] = low[*parent].min(low[state]);
                        }
                        if low[state] == order[state] {
                            while let Some(member) = open.pop() {
                                class_of[member] = n_classes;
                                if member == state {
                                    break;
                                }
                            }
                            n_classes += 1;
                        }
                    }
                }
            }
        }
        class_of
    }

    /// The period is the greatest common divisor of `depth(from) + 1 - depth(to)` over the steps inside the class, for the depths of any search.
    fn find_periods(&self, class_of: &[usize], classes: &mut [CommunicatingClass]) {
        let mut depth = vec![usize::MAX; self.n_states()];
        for (number, class) in classes.iter_mut().enumerate() {
            let root = class.states[0];
            depth[root] = 0;
            let mut queue = vec![root];
            while let Some(state) = queue.pop() {
                for to in self.goes(state).filter(|&to| class_of[to] == number) {
                    if depth[to] == usize::MAX {
                        depth[to] = depth[state] + 1;
                        queue.push(to);
                    } else {
                        class.period = gcd(class.period, (depth[state] + 1).abs_diff(depth[to]));
                    }
                }
            }
        }
    }
}

fn gcd(mut a: usize, mut b: usize) -> usize {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

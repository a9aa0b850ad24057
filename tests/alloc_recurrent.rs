//! Recurrent nets allocate nothing once they are warm: counted by an allocator.

mod memory;

use memory::allocations_of;
use sapwood::data::Sequences;
use sapwood::linfa::{DatasetBase, traits::Fit};
use sapwood::ndarray::Array2;
use sapwood::optim::Clip;
use sapwood::recurrent::{Dropout, Workspace};
use sapwood::{Gru, Lstm};

fn sequences() -> Sequences<sapwood::ndarray::OwnedRepr<f32>> {
    let x = Array2::from_shape_fn((60, 3), |(i, j)| ((i * 3 + j) as f32).sin());
    Sequences::new(x, vec![20, 5, 20, 15]).unwrap()
}

#[test]
fn a_streaming_step_allocates_nothing() {
    let net = Lstm::<f32>::untrained(&Lstm::params(20).n_layers(2), 3, 2).unwrap();
    let mut stream = net.stream().unwrap();
    stream.step(&[0.1, 0.2, 0.3]).unwrap();
    let count = allocations_of(|| {
        for _ in 0..100 {
            stream.step(&[0.1, 0.2, 0.3]).unwrap();
        }
        stream.reset();
    });
    assert_eq!(count, 0);
}

#[test]
fn answers_in_the_same_room_allocate_nothing() {
    let net = Gru::<f32>::untrained(&Gru::params(20).bidirectional(true), 3, 2).unwrap();
    let (sequences, mut room, mut y) = (sequences(), Workspace::default(), Array2::zeros((60, 2)));
    assert!(allocations_of(|| net.predict_into(&sequences, &mut room, y.view_mut()).unwrap()) > 0);
    assert_eq!(allocations_of(|| net.predict_into(&sequences, &mut room, y.view_mut()).unwrap()), 0);
}

#[test]
fn a_training_step_allocates_nothing() {
    let y = Array2::from_shape_fn((60, 1), |(i, _)| (i as f32).cos());
    let data = DatasetBase::new(sequences(), y);
    let dropout = Dropout { before: 0.1, between: 0.1, after: 0.1 };
    let settings = Lstm::params(20).n_layers(2).batch_size(3).dropout(dropout).clip(Clip::Norm(1.0));
    for settings in [settings.clone(), settings.clone().bidirectional(true), settings.truncate(4)] {
        let count = |n: usize| allocations_of(|| drop(settings.clone().n_epochs(n).fit(&data).unwrap()));
        // The first fit of the process asks the machine for its instruction sets. The largest batch comes within twenty epochs.
        count(1);
        assert_eq!(count(20), count(60));
    }
}

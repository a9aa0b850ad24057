//! Recurrent nets allocate nothing once they are warm: counted by an allocator.
#![allow(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use sapwood::data::Sequences;
use sapwood::linfa::{DatasetBase, traits::Fit};
use sapwood::ndarray::Array2;
use sapwood::optim::Clip;
use sapwood::recurrent::{Dropout, Workspace};
use sapwood::{Gru, Lstm};

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes on to the system's allocator; the count is of this thread alone.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(p, layout) }
    }

    unsafe fn realloc(&self, p: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.realloc(p, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(call: impl FnOnce()) -> usize {
    let before = COUNT.with(Cell::get);
    call();
    COUNT.with(Cell::get) - before
}

fn sequences() -> Sequences<sapwood::ndarray::OwnedRepr<f32>> {
    let x = Array2::from_shape_fn((60, 3), |(i, j)| ((i * 3 + j) as f32).sin());
    Sequences::new(x, vec![20, 5, 20, 15]).unwrap()
}

#[test]
fn a_streaming_step_allocates_nothing() {
    let net = Lstm::<f32>::untrained(&Lstm::params(20).n_layers(2), 3, 2).unwrap();
    let mut stream = net.stream().unwrap();
    stream.step(&[0.1, 0.2, 0.3]).unwrap();
    let count = allocations(|| {
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
    assert!(allocations(|| net.predict_into(&sequences, &mut room, y.view_mut()).unwrap()) > 0);
    assert_eq!(allocations(|| net.predict_into(&sequences, &mut room, y.view_mut()).unwrap()), 0);
}

#[test]
fn a_training_step_allocates_nothing() {
    let y = Array2::from_shape_fn((60, 1), |(i, _)| (i as f32).cos());
    let data = DatasetBase::new(sequences(), y);
    let dropout = Dropout { before: 0.1, between: 0.1, after: 0.1 };
    let settings = Lstm::params(20).n_layers(2).batch_size(3).dropout(dropout).clip(Clip::Norm(1.0));
    for settings in [settings.clone(), settings.clone().bidirectional(true), settings.truncate(4)] {
        let count = |n: usize| allocations(|| drop(settings.clone().n_epochs(n).fit(&data).unwrap()));
        // The first fit of the process asks the machine for its instruction sets. The largest batch comes within twenty epochs.
        count(1);
        assert_eq!(count(20), count(60));
    }
}

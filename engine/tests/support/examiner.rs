//! A target that examines the window made for it and keeps everything; shared by several suites.

use std::cell::RefCell;

use holdfast_engine::accelerator::WindowTarget;
use holdfast_engine::registration::WindowShape;
use holdfast_engine::space::seal::Examiner;
use holdfast_engine::space::strata::one_in_each;
use holdfast_partition::io::AlignedBuffer;

/// What was seen of one layer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) root: [u8; 32],
    pub(crate) nodes: Vec<u32>,
    pub(crate) answers: Vec<Vec<u8>>,
}

/// Asks for so many labels of every layer.
pub(crate) struct Examining {
    shape: WindowShape,
    labels: u32,
    pub(crate) bytes: RefCell<Vec<u8>>,
    pub(crate) seen: RefCell<Vec<Seen>>,
}

impl Examining {
    pub(crate) fn new(shape: WindowShape, labels: u32) -> Examining {
        let bytes = vec![0xEE; usize::try_from(shape.bytes()).expect("small")];
        Examining { shape, labels, bytes: RefCell::new(bytes), seen: RefCell::default() }
    }
}

impl WindowTarget for Examining {
    fn proceed(&self) -> bool {
        true
    }

    fn take(&self, length: usize) -> Option<AlignedBuffer> {
        AlignedBuffer::zeroed(length).ok()
    }

    fn put(&self, offset: u64, buffer: AlignedBuffer) {
        let start = usize::try_from(offset).expect("small");
        self.bytes.borrow_mut()[start..start + buffer.len()].copy_from_slice(&buffer);
    }

    fn examiner(&self) -> Option<&dyn Examiner> {
        Some(self)
    }
}

impl Examiner for Examining {
    fn ask(&self, number: u32, root: &[u8; 32]) -> Option<Vec<u32>> {
        let labels = u32::try_from(self.shape.labels()).expect("small");
        let nodes = one_in_each(&[7; 32], [number, 0], labels, self.labels);
        let mut seen = self.seen.borrow_mut();
        assert_eq!(number as usize, seen.len() + 1, "layers come in order");
        seen.push(Seen { root: *root, nodes: nodes.clone(), answers: Vec::new() });
        Some(nodes)
    }

    fn show(&self, number: u32, answer: Vec<u8>) {
        self.seen.borrow_mut()[number as usize - 1].answers.push(answer);
    }
}

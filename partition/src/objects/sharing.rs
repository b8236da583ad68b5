//! Windows and objects share the space of a partition: incoming objects take the place of windows, and what is deleted is
//! filled with windows again. Everything follows from the budget and what is there, so a change broken off anywhere is
//! carried on by asking again.
//!
//! Windows go from the end, and in this order: the trim is recorded and in force (space-v1 §7), the space is given back, and
//! only then is the object stored. The last window stays, for a partition without windows has no commitment.

use serde::Serialize;

use super::{Object, ObjectName};
use crate::format::{Geometry, fixed_bytes};

/// How the space of one partition is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharing {
    budget_bytes: u64,
    window_bytes: u64,
    geometry: Geometry,
}

/// An object that does not fit, however many windows go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the object takes {needed_bytes} bytes of disk; {free_bytes} are free when all windows but one are given up"
)]
pub struct NoRoom {
    /// Disk space of the object.
    pub needed_bytes: u64,
    /// What is free with one window left.
    pub free_bytes: u64,
}

impl Sharing {
    /// Of a partition with this budget and windows like these.
    pub fn new(budget_bytes: u64, geometry: Geometry) -> Self {
        Self { budget_bytes, window_bytes: geometry.bytes_per_window(), geometry }
    }

    /// Disk space of the partition file with so many windows.
    pub fn windows_disk_bytes(&self, windows: u64) -> u64 {
        windows.saturating_mul(self.window_bytes).saturating_add(fixed_bytes())
    }

    /// Disk space that is left beside so many windows and objects of so many bytes.
    pub fn free_bytes(&self, windows: u64, object_bytes: u64) -> u64 {
        self.budget_bytes.saturating_sub(self.windows_disk_bytes(windows)).saturating_sub(object_bytes)
    }

    /// Windows to give up before an object of `incoming_bytes` of disk space is stored beside objects of `object_bytes`.
    ///
    /// # Errors
    /// [`NoRoom`] if one window could not stay.
    pub fn windows_to_give_up(
        &self,
        windows: u64,
        object_bytes: u64,
        incoming_bytes: u64,
    ) -> Result<u64, NoRoom> {
        let taken = object_bytes.saturating_add(incoming_bytes);
        let over = self.windows_disk_bytes(windows).saturating_add(taken).saturating_sub(self.budget_bytes);
        let windows_to_give_up = over.div_ceil(self.window_bytes);
        if windows_to_give_up == 0 || windows_to_give_up < windows {
            return Ok(windows_to_give_up);
        }
        Err(NoRoom {
            needed_bytes: incoming_bytes,
            free_bytes: self.free_bytes(windows.min(1), object_bytes),
        })
    }

    /// Windows that fit into what is free and may be filled again, within the registered cap.
    pub fn windows_to_fill_again(&self, windows: u64, object_bytes: u64) -> u64 {
        let fitting = self.free_bytes(windows, object_bytes) / self.window_bytes;
        fitting.min(self.geometry.window_cap().saturating_sub(windows))
    }

    /// Which bytes are windows and which are objects.
    pub fn map(&self, windows: u64, objects: &[Object]) -> AllocationMap {
        let place = |object: &Object| ObjectPlace {
            name: object.entry.name,
            bytes: object.entry.data_bytes,
            disk_bytes: object.disk_bytes(),
        };
        let objects: Vec<ObjectPlace> = objects.iter().map(place).collect();
        let object_bytes = objects.iter().map(|object| object.disk_bytes).fold(0, u64::saturating_add);
        AllocationMap {
            budget_bytes: self.budget_bytes,
            free_bytes: self.free_bytes(windows, object_bytes),
            windows: WindowPlaces {
                count: windows,
                window_bytes: self.geometry.window_bytes(),
                first_offset: self.geometry.data_offset(),
                stride_bytes: self.geometry.slot_bytes(),
                disk_bytes: self.windows_disk_bytes(windows),
            },
            object_disk_bytes: object_bytes,
            objects,
        }
    }
}

/// Which bytes of a partition are windows and which are objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AllocationMap {
    /// Disk space of windows and objects together.
    pub budget_bytes: u64,
    /// Disk space that nobody takes.
    pub free_bytes: u64,
    /// Where the windows are.
    pub windows: WindowPlaces,
    /// Disk space of all objects.
    pub object_disk_bytes: u64,
    /// The objects, in the order they were given: by name, if they are a store's.
    pub objects: Vec<ObjectPlace>,
}

/// Where the windows of a partition are: window i has the bytes from `first_offset + i · stride_bytes` on, `window_bytes`
/// of them, in the partition file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct WindowPlaces {
    /// How many.
    pub count: u64,
    /// Bytes of a window, without its outboard.
    pub window_bytes: u64,
    /// Offset of window 0 in the partition file.
    pub first_offset: u64,
    /// From one window to the next.
    pub stride_bytes: u64,
    /// Disk space of the partition file.
    pub disk_bytes: u64,
}

impl WindowPlaces {
    /// Bytes of all windows, without their outboards.
    pub fn bytes(&self) -> u64 {
        self.count.saturating_mul(self.window_bytes)
    }
}

/// An object of an allocation map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ObjectPlace {
    /// Its name, which is its directory's.
    pub name: ObjectName,
    /// Bytes of its data.
    pub bytes: u64,
    /// Disk space of all its files.
    pub disk_bytes: u64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn geometry() -> Geometry {
        Geometry::new(10, 2, 12).unwrap()
    }

    /// A budget of exactly so many windows.
    fn sharing(windows: u64) -> Sharing {
        Sharing::new(geometry().allocated_bytes(windows).unwrap(), geometry())
    }

    #[test]
    fn an_object_takes_whole_windows_and_gives_them_back() {
        let sharing = sharing(10);
        let each = geometry().bytes_per_window();
        assert_eq!(sharing.windows_to_give_up(10, 0, 1), Ok(1));
        assert_eq!(sharing.windows_to_give_up(10, 0, each), Ok(1));
        assert_eq!(sharing.windows_to_give_up(10, 0, each + 1), Ok(2));
        // What was given up before, and is not taken yet, counts.
        assert_eq!(sharing.windows_to_give_up(9, 0, each), Ok(0));
        assert_eq!(sharing.windows_to_give_up(9, each, 1), Ok(1));
        assert_eq!(sharing.windows_to_fill_again(9, each), 0);
        assert_eq!(sharing.windows_to_fill_again(9, 1), 0);
        assert_eq!(sharing.windows_to_fill_again(9, 0), 1);
    }

    #[test]
    fn the_last_window_stays() {
        let sharing = sharing(10);
        let each = geometry().bytes_per_window();
        assert_eq!(sharing.windows_to_give_up(10, 0, 9 * each), Ok(9));
        let refused = sharing.windows_to_give_up(10, each, 8 * each + 1).unwrap_err();
        assert_eq!(refused, NoRoom { needed_bytes: 8 * each + 1, free_bytes: 8 * each });
        assert!(sharing.windows_to_give_up(10, 0, u64::MAX).is_err(), "no overflow");
    }

    #[test]
    fn windows_are_never_filled_beyond_the_registered_cap() {
        assert_eq!(Sharing::new(u64::MAX, geometry()).windows_to_fill_again(3, 0), 9);
        assert_eq!(Sharing::new(0, geometry()).windows_to_fill_again(3, 0), 0);
    }

    proptest! {
        /// After the windows went the object fits; one window fewer would not have been enough; filling again after it
        /// never breaks the budget.
        #[test]
        fn just_as_many_windows_go_as_are_needed(windows in 1_u64..=12, held in 0_u64..300_000, incoming in 1_u64..400_000) {
            let sharing = sharing(12);
            prop_assume!(sharing.windows_disk_bytes(windows) + held <= sharing.budget_bytes);
            match sharing.windows_to_give_up(windows, held, incoming) {
                Ok(gone) => {
                    prop_assert!(gone < windows);
                    prop_assert!(sharing.free_bytes(windows - gone, held) >= incoming);
                    prop_assert!(gone == 0 || sharing.free_bytes(windows - gone + 1, held) < incoming);
                    let again = sharing.windows_to_fill_again(windows - gone, held + incoming);
                    let total = sharing.windows_disk_bytes(windows - gone + again) + held + incoming;
                    prop_assert!(total <= sharing.budget_bytes);
                }
                Err(NoRoom { free_bytes, .. }) => prop_assert!(free_bytes < incoming),
            }
        }
    }
}

//! Which graphics adapters this machine has, which of them may be used, and why the others are not.

use std::fmt;

use holdfast_shaders::limits::BINDING_BYTES_MAX;
use serde::Serialize;

/// What a kernel's storage buffer may be bound with at least, or a device is of no use: a layer of windows of 64 MiB.
const LEAST_BINDING_BYTES: u64 = 64 << 20;
/// Lets a software adapter be used, for tests: set to `1`.
pub const ALLOW_SOFTWARE_VARIABLE: &str = "HOLDFAST_ALLOW_SOFTWARE_GPU";

/// Which adapters somebody wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only these, by [`Adapter::id`]; empty: all.
    pub ids: Vec<String>,
    /// Software adapters too: they are correct and far slower than the processor's own back ends, so this is for tests.
    pub allow_software: bool,
}

impl Selection {
    /// All adapters, software ones as [`ALLOW_SOFTWARE_VARIABLE`] says.
    pub fn from_environment() -> Selection {
        let allow_software = std::env::var_os(ALLOW_SOFTWARE_VARIABLE).is_some_and(|value| value == "1");
        Selection { ids: Vec::new(), allow_software }
    }
}

/// What kind of device an adapter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A card with memory of its own.
    Discrete,
    /// Part of the processor, with its memory.
    Integrated,
    /// A share of a card, given to a virtual machine.
    Virtual,
    /// The driver does not say.
    Other,
    /// No device at all: the driver computes on the processor.
    Software,
}

impl Kind {
    fn of(device_type: wgpu::DeviceType) -> Kind {
        match device_type {
            wgpu::DeviceType::DiscreteGpu => Kind::Discrete,
            wgpu::DeviceType::IntegratedGpu => Kind::Integrated,
            wgpu::DeviceType::VirtualGpu => Kind::Virtual,
            wgpu::DeviceType::Cpu => Kind::Software,
            wgpu::DeviceType::Other => Kind::Other,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Kind::Discrete => "discrete",
            Kind::Integrated => "integrated",
            Kind::Virtual => "virtual",
            Kind::Other => "unknown kind",
            Kind::Software => "software",
        })
    }
}

/// One adapter of this machine.
#[derive(Clone, Debug, Serialize)]
pub struct Adapter {
    /// Names the adapter in the same way at every start: its place on the PCI bus, or, where it has none, its name; a second
    /// one, of the same name or by another driver of the same card, has `#2` behind it.
    pub id: String,
    /// The driver's name for the device.
    pub name: String,
    /// The driver and its version.
    pub driver: String,
    /// `Vulkan`, `Metal`.
    pub interface: String,
    /// What kind of device it is.
    pub kind: Kind,
    /// Whether shaders have 64-bit integers, which commitments need.
    pub has_64_bit_integers: bool,
    /// The largest buffer.
    pub buffer_bytes_maximum: u64,
    /// The largest part of a buffer that a kernel can see, by the driver and by wgpu.
    pub binding_bytes_maximum: u64,
    /// Why it is not used, if so.
    pub unused_because: Option<String>,
    #[serde(skip)]
    pub(super) handle: wgpu::Adapter,
}

fn instance() -> wgpu::Instance {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL;
    wgpu::Instance::new(descriptor)
}

/// Why [`survey`] finds no adapter at all, in wgpu's words; `None` if it finds one.
pub fn absence() -> Option<String> {
    let request = instance().request_adapter(&wgpu::RequestAdapterOptions::default());
    pollster::block_on(request).err().map(|error| error.to_string())
}

/// All adapters, the ones to prefer first; those that are not used say why.
///
/// A machine without a Vulkan loader or driver has none, which is no error.
pub fn survey(selection: &Selection) -> Vec<Adapter> {
    let instance = instance();
    let mut handles = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    // The order of equal kinds is the driver's, which is that of the bus.
    handles.sort_by_key(|handle| Kind::of(handle.get_info().device_type));
    let mut adapters: Vec<Adapter> = Vec::new();
    for handle in handles {
        let base = base_id(&handle.get_info());
        let id = free_id(&base, &adapters);
        let is_second_driver = id != base && !handle.get_info().device_pci_bus_id.is_empty();
        let mut adapter = Adapter::describe(handle, id, selection);
        if is_second_driver && !selection.ids.contains(&adapter.id) {
            let why = format!("it is another driver of {base}; ask for it by its id to use it");
            adapter.unused_because.get_or_insert(why);
        }
        adapters.push(adapter);
    }
    adapters
}

/// Of the ids that were asked for, those that no adapter has.
pub fn unknown_ids<'s>(selection: &'s Selection, adapters: &[Adapter]) -> Vec<&'s str> {
    let is_unknown = |id: &&String| adapters.iter().all(|adapter| adapter.id != **id);
    selection.ids.iter().filter(is_unknown).map(String::as_str).collect()
}

impl Adapter {
    fn describe(handle: wgpu::Adapter, id: String, selection: &Selection) -> Adapter {
        let (info, limits) = (handle.get_info(), handle.limits());
        let kind = Kind::of(info.device_type);
        let unused_because = unused(&id, kind, &limits, selection);
        Adapter {
            id,
            name: info.name.clone(),
            driver: [info.driver.as_str(), info.driver_info.as_str()].join(" ").trim().to_owned(),
            interface: format!("{:?}", info.backend),
            kind,
            has_64_bit_integers: handle.features().contains(wgpu::Features::SHADER_INT64),
            buffer_bytes_maximum: limits.max_buffer_size,
            binding_bytes_maximum: limits.max_storage_buffer_binding_size.min(BINDING_BYTES_MAX),
            unused_because,
            handle,
        }
    }

    /// What the driver grants, by name: bytes, counts, and 1 or 0 for what there is or not.
    pub fn limits(&self) -> Vec<(&'static str, u64)> {
        let (limits, info, features) = (self.handle.limits(), self.handle.get_info(), self.handle.features());
        let has = |feature| u64::from(features.contains(feature));
        vec![
            ("buffer bytes", limits.max_buffer_size),
            ("binding bytes", limits.max_storage_buffer_binding_size),
            ("binding alignment bytes", limits.min_storage_buffer_offset_alignment.into()),
            ("storage buffers", limits.max_storage_buffers_per_shader_stage.into()),
            ("workgroup invocations", limits.max_compute_invocations_per_workgroup.into()),
            ("workgroup memory bytes", limits.max_compute_workgroup_storage_size.into()),
            ("workgroups per dimension", limits.max_compute_workgroups_per_dimension.into()),
            ("subgroup least", info.subgroup_min_size.into()),
            ("subgroup most", info.subgroup_max_size.into()),
            ("64-bit integers", has(wgpu::Features::SHADER_INT64)),
            ("timestamps", has(wgpu::Features::TIMESTAMP_QUERY)),
        ]
    }

    /// Whether it may be used.
    pub fn is_used(&self) -> bool {
        self.unused_because.is_none()
    }
}

fn unused(id: &str, kind: Kind, limits: &wgpu::Limits, selection: &Selection) -> Option<String> {
    let binding_bytes = limits.max_storage_buffer_binding_size;
    if !selection.ids.is_empty() && !selection.ids.iter().any(|wanted| wanted == id) {
        Some("others were asked for by id".to_owned())
    } else if kind == Kind::Software && !selection.allow_software {
        Some(format!(
            "it computes on the processor, slower than the processor's own back ends; for tests, allow it by \
             --allow-software-gpu or {ALLOW_SOFTWARE_VARIABLE}=1"
        ))
    } else if binding_bytes < LEAST_BINDING_BYTES {
        Some(format!(
            "a kernel sees {binding_bytes} bytes of a buffer at most; {LEAST_BINDING_BYTES} are needed"
        ))
    } else {
        None
    }
}

fn base_id(info: &wgpu::AdapterInfo) -> String {
    if !info.device_pci_bus_id.is_empty() {
        return info.device_pci_bus_id.clone();
    }
    let word = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c.to_ascii_lowercase() } else { '-' };
    let name: String = info.name.split('(').next().unwrap_or_default().trim().chars().map(word).collect();
    if name.is_empty() { format!("{:04x}-{:04x}", info.vendor, info.device) } else { name }
}

fn free_id(base: &str, adapters: &[Adapter]) -> String {
    let taken = |id: &str| adapters.iter().any(|adapter| adapter.id == id);
    let numbered = (2..).map(|number| format!("{base}#{number}"));
    std::iter::once(base.to_owned()).chain(numbered).find(|id| !taken(id)).unwrap_or_default()
}

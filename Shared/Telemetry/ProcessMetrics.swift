import Glibc

extension MetricsRegistry {
    /// Registers what every process has to show: memory, processor time, open files and the time of its start.
    ///
    /// Read from `/proc/self`, as Prometheus' own clients do; where it cannot be read, the metric is left out.
    public func registerProcessMetrics() {
        let start = Double(Timestamp.nowMilliseconds()) / 1000
        gauge("process_start_time_seconds", help: "Start of the process, seconds since 1970.") { [(.none, start)] }
        gauge("process_resident_memory_bytes", help: "Memory of the process that is in RAM.") {
            ProcessStatus.residentBytes().map { [(.none, Double($0))] } ?? []
        }
        counter("process_cpu_seconds_total", help: "Processor time of the process, user and system.") {
            var time = timespec()
            guard clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 else { return [] }
            return [(.none, Double(time.tv_sec) + Double(time.tv_nsec) / 1e9)]
        }
        gauge("process_open_fds", help: "Open file descriptors.") {
            ProcessStatus.openDescriptors().map { [(.none, Double($0))] } ?? []
        }
    }
}

/// What the kernel says about this process.
enum ProcessStatus {
    /// The resident set: the second number of `/proc/self/statm`, in pages.
    static func residentBytes() -> Int? {
        let descriptor = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        let text = String(unsafeUninitializedCapacity: 256) { buffer in
            max(0, read(descriptor, buffer.baseAddress, buffer.count))
        }
        let numbers = text.split(separator: " ")
        guard numbers.count > 1, let pages = Int(numbers[1]) else { return nil }
        return pages * sysconf(Int32(_SC_PAGESIZE))
    }

    /// The entries of `/proc/self/fd`, without the one that reads them.
    static func openDescriptors() -> Int? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var count = 0
        while let entry = readdir(directory) {
            if entry.pointee.d_name.0 != CChar(UInt8(ascii: ".")) { count += 1 }
        }
        return max(0, count - 1)
    }
}

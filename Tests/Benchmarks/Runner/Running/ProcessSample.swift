import Glibc

/// What `/proc` says about a process now.
struct ProcessSample: Sendable {
    /// Memory that is resident, in KiB (`VmRSS`).
    var residentKiB = 0
    /// The most that ever was (`VmHWM`).
    var peakKiB = 0
    /// Resident memory that belongs to no file (`RssAnon`).
    var anonymousKiB = 0
    /// Processor time so far, in seconds.
    var cpu = 0.0
    var threads = 0

    init(pid: pid_t) {
        for line in TextFile.lines("/proc/\(pid)/status") {
            func value(_ name: String) -> Int? {
                guard line.hasPrefix(name) else { return nil }
                return Int(line.dropFirst(name.count).split { !$0.isNumber }.first ?? "")
            }
            if let kiB = value("VmRSS:") { residentKiB = kiB }
            if let kiB = value("VmHWM:") { peakKiB = kiB }
            if let kiB = value("RssAnon:") { anonymousKiB = kiB }
            if let count = value("Threads:") { threads = count }
        }
        // The name before the last parenthesis may hold anything; utime and stime are the 14th and 15th field.
        let line = TextFile.lines("/proc/\(pid)/stat").first ?? ""
        if let end = line.lastIndex(of: ")") {
            let fields = line[line.index(after: end)...].split(separator: " ")
            if fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) {
                cpu = (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
            }
        }
    }
}

/// Small text files of the system.
enum TextFile {
    static func lines(_ path: String) -> [Substring] {
        guard let file = fopen(path, "r") else { return [] }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            guard count > 0 else { break }
            bytes.append(contentsOf: buffer[..<count])
        }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    }
}

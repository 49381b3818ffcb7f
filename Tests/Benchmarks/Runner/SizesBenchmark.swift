import Glibc

/// How large the executables are, linked statically with Swift's libraries.
struct SizesBenchmark {
    let setting: Setting
    let report: Report

    func run() throws {
        var table = Table("size of the executables (MB)", columns: ["", "as linked", "without symbols"])
        for name in [
            "order-service", "payment-service", "notification-service", "inventory-service", "coupon-service",
            "points-service", "shipping-service", "analytics-service",
            "sandbox", "warren",
        ] {
            let path = "\(setting.programs)/\(name)"
            let stripped = "\(setting.folder)/\(name)"
            let strip = try Program("/usr/bin/env", ["strip", "-s", "-o", stripped, path])
            _ = try strip.results()
            let sizes = try [size(path), size(stripped)]
            unlink(stripped)
            for (metric, bytes) in zip(["bytes", "bytes without symbols"], sizes) {
                var figures = Figures()
                figures.add(bytes)
                report.keep(figures, metric, of: "swift", in: "sizes", case: name)
            }
            table.add([name] + sizes.map { NumberText.fixed($0 / 1e6, 1) })
        }
        table.show()
    }

    private func size(_ path: String) throws -> Double {
        var status = stat()
        guard stat(path, &status) == 0 else { throw BenchmarkError("there is no \(path)") }
        return Double(status.st_size)
    }
}

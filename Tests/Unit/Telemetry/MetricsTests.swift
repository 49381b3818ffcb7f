import Foundation
import Testing

@testable import Telemetry

@Suite("Metrics")
struct MetricsTests {
    @Test("are rendered by family, with help and type once each")
    func families() {
        let registry = MetricsRegistry()
        registry.counter("b_total", help: "Second.", labels: ["route": "/b"]).increment(by: 2)
        registry.counter("b_total", help: "Second.", labels: ["route": "/a"]).increment()
        registry.gauge("a_bytes", help: "First.").set(1.5)
        #expect(
            registry.render() == """
                # HELP a_bytes First.
                # TYPE a_bytes gauge
                a_bytes 1.5
                # HELP b_total Second.
                # TYPE b_total counter
                b_total{route="/a"} 1
                b_total{route="/b"} 2

                """
        )
    }

    @Test("escape what labels and help may not hold")
    func escaping() {
        let registry = MetricsRegistry()
        registry.gauge("g", help: "back\\slash and\nline \"q\"", labels: ["l": "a\\b\"c\nd"]).set(-1)
        #expect(
            registry.render() == #"""
                # HELP g back\\slash and\nline "q"
                # TYPE g gauge
                g{l="a\\b\"c\nd"} -1

                """#
        )
    }

    @Test("of one name and labels are one")
    func identity() {
        let registry = MetricsRegistry()
        let first = registry.counter("c_total", help: "C.", labels: ["x": "1", "y": "2"])
        #expect(registry.counter("c_total", help: "C.", labels: ["y": "2", "x": "1"]) === first)
        #expect(registry.counter("c_total", help: "C.", labels: ["y": "1", "x": "2"]) !== first)
    }

    @Test("in a histogram are counted in every range above them, the last being all")
    func histogram() {
        let registry = MetricsRegistry()
        let histogram = registry.histogram("d_seconds", help: "D.", labels: ["r": "x"], bounds: [1, 0.1, .infinity, 1])
        for value in [0.05, 0.1, 0.5, 2, .nan] { histogram.observe(value) }
        histogram.observe(.milliseconds(1500))
        #expect(
            registry.render() == """
                # HELP d_seconds D.
                # TYPE d_seconds histogram
                d_seconds_bucket{r="x",le="0.1"} 2
                d_seconds_bucket{r="x",le="1"} 3
                d_seconds_bucket{r="x",le="+Inf"} 5
                d_seconds_sum{r="x"} 4.15
                d_seconds_count{r="x"} 5

                """
        )
    }

    @Test("are read by callbacks when they are rendered, and left out when there is nothing to say")
    func callbacks() {
        let registry = MetricsRegistry()
        registry.gauge("none", help: "N.") { [] }
        registry.gauge("some", help: "S.") { [(["type": "a"], 1), (["type": "b"], .infinity), (["type": "a"], 3)] }
        registry.counter("seconds_total", help: "T.") { [(.none, 0.5)] }
        #expect(
            registry.render() == """
                # HELP seconds_total T.
                # TYPE seconds_total counter
                seconds_total 0.5
                # HELP some S.
                # TYPE some gauge
                some{type="a"} 1
                some{type="b"} +Inf

                """
        )
    }

    @Test("lose nothing when many threads count")
    func threads() async {
        let registry = MetricsRegistry()
        let counter = registry.counter("n_total", help: "N.")
        let gauge = registry.gauge("g", help: "G.")
        let histogram = registry.histogram("h", help: "H.", bounds: [1])
        await onThreads(4) { _ in
            // One after the other: the lock of the histogram would put the counter's threads into a line.
            for _ in 0..<1_000_000 { counter.increment() }
            for _ in 0..<100_000 { gauge.add(0.5) }
            for _ in 0..<100_000 { histogram.observe(0.5) }
        }
        #expect(counter.value == 4_000_000)
        #expect(gauge.value == 200_000)
        #expect(histogram.snapshot().count == 400_000)
        #expect(histogram.snapshot().sum == 200_000)
    }

    @Test("of the process are there and plausible")
    func process() throws {
        let registry = MetricsRegistry()
        registry.registerProcessMetrics()
        let lines = registry.render().split(separator: "\n").filter { !$0.hasPrefix("#") }
        let values = Dictionary(
            uniqueKeysWithValues: try lines.map { line in
                let parts = line.split(separator: " ")
                return (String(parts[0]), try #require(Double(parts[1])))
            }
        )
        #expect(try #require(values["process_resident_memory_bytes"]) > 1_000_000)
        #expect(try #require(values["process_open_fds"]) >= 3)
        #expect(try #require(values["process_cpu_seconds_total"]) > 0)
        #expect(try #require(values["process_start_time_seconds"]) > 1_700_000_000)
    }

    @Test("pass the line grammar of the Prometheus text format")
    func grammar() throws {
        let registry = MetricsRegistry()
        registry.registerProcessMetrics()
        registry.counter("x_total", help: "X.", labels: ["a": "\\\"\n", "b": "ü"]).increment()
        registry.histogram("y_seconds", help: "Y.").observe(3)
        registry.gauge("z", help: "Z.").set(.nan)
        let text = registry.render()
        #expect(text.hasSuffix("\n") && !text.hasSuffix("\n\n"))
        let label = #"[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*""#
        let number = #"(?:NaN|[+-]Inf|-?[0-9.]+(?:e[+-]?[0-9]+)?)"#
        let sample = try Regex(#"[a-zA-Z_:][a-zA-Z0-9_:]*(?:\{\#(label)(?:,\#(label))*\})? \#(number)"#)
        let comment = try Regex(#"# (?:HELP [a-z_]+ .+|TYPE [a-z_]+ (?:counter|gauge|histogram))"#)
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            #expect(line.wholeMatch(of: line.hasPrefix("#") ? comment : sample) != nil, "\(line)")
        }
    }
}

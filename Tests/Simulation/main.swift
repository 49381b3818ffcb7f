import CInterpose
import Glibc

// simulation [--seeds N] [--from SEED] [--seed SEED] [--faults NAME,...] [--until-failure] [--folder FOLDER]
//
// Runs so many simulations from that seed on. The last line is `N passed, N failed`. A seed that fails is named, and
// runs the same again with --seed. Which faults a seed has beside the usual ones it decides itself, unless they are given.

struct Options {
    var first: UInt64 = 1
    var count = 500
    var folder = "/dev/shm"
    var isVerbose = false
    var faults: Faults?
    /// How many failures are enough.
    var failures = 10

    init(_ arguments: ArraySlice<String>) {
        var arguments = arguments
        while let option = arguments.popFirst() {
            switch option {
            case "--seeds": count = arguments.popFirst().flatMap { Int($0) } ?? count
            case "--from": first = arguments.popFirst().flatMap { UInt64($0) } ?? first
            case "--seed":
                first = arguments.popFirst().flatMap { UInt64($0) } ?? first
                count = 1
                isVerbose = true
            case "--until-failure": failures = 1
            case "--failures": failures = arguments.popFirst().flatMap { Int($0) } ?? failures
            case "--faults":
                guard let list = arguments.popFirst().flatMap({ Faults(list: $0) }) else {
                    print("the faults are \(Faults.all)")
                    exit(2)
                }
                faults = list
            case "--folder": folder = arguments.popFirst() ?? folder
            default:
                print("no option \(option)")
                exit(2)
            }
        }
    }
}

func fail(_ reason: String) -> Never {
    print(reason)
    exit(2)
}

// Sets and dictionaries are in another order in each process, unless this is set when it starts.
if getenv("SWIFT_DETERMINISTIC_HASHING") == nil {
    setenv("SWIFT_DETERMINISTIC_HASHING", "1", 1)
    execv("/proc/self/exe", CommandLine.unsafeArgv)
    fail("cannot start anew with fixed hashing")
}
let options = Options(CommandLine.arguments.dropFirst())
interpose_start { job, deadline in
    if let job { Scheduler.current?.enqueue(job, deadline: deadline) }
}

let folder = "\(options.folder)/warren-simulation-\(getpid())"
guard mkdir(folder, 0o700) == 0 else { fail("cannot make \(folder)") }

func removeFolder() {
    for disk in 0..<3 {
        for suffix in ["", "-wal", "-shm"] { unlink("\(folder)/\(disk).db\(suffix)") }
    }
    rmdir(folder)
}

do {
    let disks = try (0..<3).map { try Disk(path: "\(folder)/\($0).db") }
    let began = interpose_real_time()
    var failed = 0
    var ran = 0
    var steps = 0
    var processes = 0
    var events = 0
    var transitions = 0
    for seed in options.first..<(options.first + UInt64(options.count)) {
        let outcome = try World(seed: seed, faults: options.faults, disks: disks).run()
        if options.isVerbose {
            // A second time, to show that a seed is all there is to it.
            let world = try World(seed: seed, faults: options.faults, disks: disks)
            world.scheduler.isVerbose = !outcome.violations.isEmpty
            let again = try world.run()
            if !again.violations.isEmpty { world.dump() }
            print("seed \(seed): trace \(String(outcome.trace, radix: 16)), \(outcome.steps) steps")
            if again.trace != outcome.trace { fail("seed \(seed) took another course the second time") }
        }
        ran += 1
        steps += outcome.steps
        processes += outcome.processes
        events += outcome.events
        transitions += outcome.deadLetters
        if !outcome.violations.isEmpty {
            failed += 1
            let faults = options.faults ?? Faults(seed: seed)
            print("seed \(seed) failed, trace \(String(outcome.trace, radix: 16)), with \(faults):")
            for violation in outcome.violations.prefix(10) { print("  \(violation)") }
            if failed == options.failures { break }
        }
    }
    let seconds = Double(interpose_real_time() - began) / 1_000_000_000
    removeFolder()
    print(
        "\(ran) seeds in \(Int(seconds)) s: \(steps) steps, \(processes) processes, \(events) events,"
            + " \(transitions) transitions of operators"
    )
    print("\(ran - failed) passed, \(failed) failed")
    exit(failed == 0 ? 0 : 1)
} catch {
    removeFolder()
    fail("\(error)")
}

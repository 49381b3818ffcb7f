/// What goes wrong in a simulation beside what goes wrong in each: kills, lost connections, refusals, full disks.
///
/// Each seed has one of these for sure and each other one by chance, so that they meet.
struct Faults: OptionSet, CustomStringConvertible {
    var rawValue: Int

    /// The broker closes the channel over some events: for good, or over a type for a while.
    static let closedChannels = Faults(rawValue: 1 << 0)
    /// A queue has no majority: what is routed to it is not confirmed until it has one again.
    static let withheldConfirms = Faults(rawValue: 1 << 1)
    /// Ordering and what follows a dead letter are other ones at a start, and a service has another name.
    static let changedSettings = Faults(rawValue: 1 << 2)
    /// The clock on the wall is set by hours, forward or back.
    static let clockSteps = Faults(rawValue: 1 << 3)
    /// Handlers do not come back; some do not hear either that they are cancelled, or come back when it is too late.
    static let hangingHandlers = Faults(rawValue: 1 << 4)
    /// A burst of slow, harmless events with one among them that ends the process each time.
    static let poison = Faults(rawValue: 1 << 5)
    /// Somebody else publishes what is no event: other messages of the same bytes.
    static let strangers = Faults(rawValue: 1 << 6)
    /// Somebody removes the bindings of a type.
    static let lostBindings = Faults(rawValue: 1 << 7)

    static let names: [(name: String, fault: Faults)] = [
        ("closed-channels", .closedChannels),
        ("withheld-confirms", .withheldConfirms),
        ("changed-settings", .changedSettings),
        ("clock-steps", .clockSteps),
        ("hanging-handlers", .hangingHandlers),
        ("poison", .poison),
        ("strangers", .strangers),
        ("lost-bindings", .lostBindings),
    ]
    static let all = Faults(names.map(\.fault))

    /// Those of a seed.
    init(seed: UInt64) {
        var random = SeededRandom(seed: mix64(seed ^ 0xFA17))
        self = Faults.names[random.below(Faults.names.count)].fault
        for (_, fault) in Faults.names where random.once(in: 4) { insert(fault) }
    }

    init(rawValue: Int) {
        self.rawValue = rawValue
    }

    /// Those of a list of names, separated by commas; nil where one is not known.
    init?(list: String) {
        self = []
        for part in list.split(separator: ",") {
            guard let known = Faults.names.first(where: { $0.name == part }) else { return nil }
            insert(known.fault)
        }
    }

    var description: String { Faults.names.filter { contains($0.fault) }.map(\.name).joined(separator: ",") }
}

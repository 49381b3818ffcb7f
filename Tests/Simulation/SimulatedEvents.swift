import Events

/// What clients of a service bring about.
struct Made: Event {
    static let type: EventType = "simulation.made"
    var subject: String
    var number: Int
    /// What makes some events larger than others.
    var note: String?
}

/// What a handler appends when it is given `Made`.
struct Followed: Event {
    static let type: EventType = "simulation.followed"
    var subject: String
    var number: Int
    var note: String?
}

/// What nobody subscribes to.
struct Unheard: Event {
    static let type: EventType = "simulation.unheard"
    var subject: String
    var number: Int
}

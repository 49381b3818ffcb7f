import Events

@testable import Messaging

// What happens from outside, and when.
extension World {
    /// What clients, operators and the weather will do, and when.
    func plan() {
        for _ in 0..<(8 + scheduler.random.below(25)) {
            later { world in
                let writer = world.scheduler.random.once(in: 5) ? world.scheduler.random.below(3) : 0
                world.services[world.isSelfEnding ? 2 : writer].write(
                    subject: "subject-\(world.scheduler.random.below(world.subjects))"
                )
            }
        }
        for _ in 0..<scheduler.random.below(4) {
            later { world in world.services[world.scheduler.random.below(3)].operate(discarding: 3) }
        }
        for _ in 0..<scheduler.random.below(3) {
            later { world in world.services[world.scheduler.random.below(3)].stop() }
        }
        for _ in 0..<scheduler.random.below(3) {
            later { world in
                world.broker.isBlocked = world.hasFaults
                world.scheduler.after(milliseconds: 100 + world.scheduler.random.below(1500)) {
                    world.broker.isBlocked = false
                }
            }
        }
        if scheduler.random.once(in: 4) {
            // A disk is full for a while.
            later { world in
                let engine = world.services[world.scheduler.random.below(3)].process?.engine
                engine?.isFull = true
                world.scheduler.after(milliseconds: 100 + world.scheduler.random.below(2500)) { engine?.isFull = false }
            }
        }
        if scheduler.random.once(in: 3) {
            // The broker itself goes away, and every connection with it.
            later { world in
                for connection in world.broker.publishers { connection.cut() }
                for connection in world.broker.consumers { connection.cut() }
            }
        }
        planFaults()
    }

    /// What else goes wrong, and when.
    private func planFaults() {
        func several(_ fault: Faults, upTo most: Int, _ action: @escaping (World, _ index: Int) -> Void) {
            guard faults.contains(fault) else { return }
            for index in 0..<(1 + scheduler.random.below(most)) { later { world in action(world, index) } }
        }
        let types = [Made.type.rawValue, Followed.type.rawValue]
        several(.closedChannels, upTo: 2) { world, _ in
            guard world.hasFaults else { return }
            let type = types[world.scheduler.random.below(types.count)]
            world.scheduler.tell("nobody may publish \(type)")
            world.broker.forbiddenTypes.insert(type)
            world.scheduler.after(milliseconds: 50 + world.scheduler.random.below(2_500)) {
                world.broker.forbiddenTypes.remove(type)
            }
        }
        several(.withheldConfirms, upTo: 2) { world, _ in
            guard world.hasFaults else { return }
            let service = world.services[world.scheduler.random.below(3)]
            world.broker.lose(service.name)
            if world.scheduler.random.once(in: 3) {
                world.longStuck.insert(service.name)
            } else {
                world.scheduler.after(milliseconds: 50 + world.scheduler.random.below(4_000)) {
                    if !world.longStuck.contains(service.name) { world.broker.heal(service.name) }
                }
            }
        }
        several(.clockSteps, upTo: 3) { world, _ in
            let seconds = 600 + world.scheduler.random.below(48 * 3_600)
            world.scheduler.stepClock(seconds: world.scheduler.random.once(in: 2) ? seconds : -seconds)
        }
        several(.poison, upTo: 2) { world, index in
            let service = world.services[world.scheduler.random.below(3)]
            for number in Burst(index: index).numbers { service.write(subject: "burst-\(number)", number: number) }
        }
        several(.strangers, upTo: 3) { world, index in
            let service = world.services[world.scheduler.random.below(3)]
            let numbers = index * 10..<index * 10 + 2 + world.scheduler.random.below(5)
            for number in numbers { world.strangers[number] = service }
            world.broker.publish(strangers: numbers, to: service.name)
        }
        several(.lostBindings, upTo: 2) { world, _ in
            guard world.hasFaults else { return }
            let type = types[world.scheduler.random.below(types.count)]
            world.scheduler.tell("the bindings of \(type) are removed")
            world.broker.lostBindings.insert(type)
        }
    }

    /// At some time of the first part, often together with other things.
    private func later(_ action: @escaping (World) -> Void) {
        let burst = scheduler.random.once(in: 2)
        let time = burst ? 500 * (1 + scheduler.random.below(8)) : scheduler.random.below(5_000)
        scheduler.after(milliseconds: time + scheduler.random.below(20)) { [self] in
            scheduler.note(11)
            action(self)
        }
    }
}

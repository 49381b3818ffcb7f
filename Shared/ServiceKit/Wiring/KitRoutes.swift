import Messaging
import Telemetry

/// What every service serves beside its own routes; described in `openapi.yaml`.
struct KitRoutes: Sendable {
    let health: HealthRoutes
    let operations: OperationsRoutes
    let events: EventRoutes

    var routes: [Wiring.Route] { health.routes + operations.routes + events.routes }
}

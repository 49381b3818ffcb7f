import ServiceKit
import ShopEvents

var inventory = ServiceDescription(
    name: "inventory",
    summary: "Knows products, prices and stock, and reserves what is ordered.",
    httpPort: 8084,
    topology: Shop.topology(with: [.inventory])
)
inventory.openAPI = PackageResources.openapi_yaml

await runService(inventory) { _ in }

#include "bridges/webhook/webhook_gate.hpp"

#include <mutex>

#include "messages/properties.hpp"
#include "messages/service_names.hpp"

namespace switchboard::webhook {

std::string customer_of(const message& what) {
  const auto glance = glance_properties(what.properties());
  if (!glance || glance->headers.empty())
    return {};
  const auto properties = decode_properties(what.properties());
  const auto customer = properties && properties->headers ? properties->headers->text("customer_id") : std::nullopt;
  return customer ? std::string{*customer} : std::string{};
}

bool gate::admits(const message& what) {
  static const auto own_exchange = event_exchange(own_resource);
  if (what.exchange() == own_exchange) {
    announce(customer_of(what));
    return true;
  }
  const auto now = opening_.load();
  if (now != opening::some)
    return now == opening::all;
  const auto customer = customer_of(what);
  const std::shared_lock hold{mutex_};
  return customer.empty() || customers_.contains(customer);
}

void gate::announce(std::string customer) {
  const std::unique_lock hold{mutex_};
  if (customer.empty()) {
    nameless_ = true;
    opening_ = opening::all;
    return;
  }
  customers_.insert(std::move(customer));
  if (opening_ == opening::own)
    opening_ = opening::some;
}

void gate::open() {
  const std::unique_lock hold{mutex_};
  opening_ = opening::all;
}

void gate::close(const std::set<std::string>& customers) {
  const std::unique_lock hold{mutex_};
  customers_.insert(customers.begin(), customers.end());
  if (!nameless_)
    opening_ = customers_.empty() ? opening::own : opening::some;
}

} // namespace switchboard::webhook

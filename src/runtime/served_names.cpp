#include "runtime/served_names.hpp"

#include <utility>

#include "messages/service_names.hpp"
#include "runtime/hosted_types.hpp"

namespace switchboard::runtime {

void served_names::read(const hosted_types& types) {
  auto read = std::make_shared<names>();
  for (const auto* type : types.all()) {
    read->exchanges.push_back(event_exchange(type->name()));
    const auto& abi = *type->now().abi;
    if (!abi.service)
      continue;
    read->all.add(abi);
    read->by_service[abi.service].add(abi);
  }
  for (const auto resource : event_resources)
    read->exchanges.push_back(event_exchange(resource));
  const std::lock_guard hold{mutex_};
  names_ = std::move(read);
}

std::shared_ptr<const served_names::names> served_names::now() const {
  const std::lock_guard hold{mutex_};
  return names_;
}

std::optional<std::string> served_names::service_of(std::string_view method, std::string_view route) const {
  auto named = service_of_route(route);
  const auto path = split(route).path;
  const auto known = now();
  if (named)
    if (const auto own = known->by_service.find(*named);
        own != known->by_service.end() && own->second.find(method, path))
      return named;
  if (const auto found = known->all.find(method, path))
    return found->type->service;
  return named;
}

std::vector<std::string> served_names::event_exchanges() const { return now()->exchanges; }

void served_names::follow(caf::actor whom) {
  const std::lock_guard hold{mutex_};
  followers_.push_back(std::move(whom));
}

void served_names::unfollow(const caf::actor_addr& whom) {
  const std::lock_guard hold{mutex_};
  std::erase_if(followers_, [&](const caf::actor& one) { return one.address() == whom; });
}

std::vector<caf::actor> served_names::followers() const {
  const std::lock_guard hold{mutex_};
  return followers_;
}

} // namespace switchboard::runtime

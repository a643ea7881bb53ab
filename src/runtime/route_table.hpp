// Which route of which entity type serves a request: the plugins' tables of one service, put together. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.hpp"
#include "sdk/abi.h"

namespace switchboard::runtime {

/// errc::bad_format if a plugin's route could never be served: unknown target or method, pattern not below /v1/ or
/// malformed, SB_BY_ID without {id}, SB_BY_BODY without a key.
expected<void> check_route(const sb_route& route);

/// Whether two patterns fit the same paths: they differ in the names of their parameters at most.
bool same_shape(std::string_view pattern, std::string_view other) noexcept;

/// "/v1/calls?page_size=10" -> path "/v1/calls", query "page_size=10".
struct split_route {
  std::string_view path;
  std::string_view query;
};
split_route split(std::string_view route) noexcept;

/// The value of `name` in a query, undecoded; empty if absent.
std::string_view query_value(std::string_view query, std::string_view name) noexcept;

class route_table {
public:
  struct match {
    const sb_entity_type* type = nullptr;
    const sb_route* route = nullptr;
    std::string_view id; ///< what {id} stands for; a view into the path; empty if the pattern has none
  };

  /// Precondition: check_route() of each of its routes. Plugins live as long as the process, so nothing is copied.
  void add(const sb_entity_type& type);
  /// The pattern with the most literal segments wins. Empty if no pattern of that method fits.
  std::optional<match> find(std::string_view method, std::string_view path) const;
  bool empty() const noexcept { return rows_.empty(); }

private:
  struct row {
    const sb_entity_type* type;
    const sb_route* route;
  };
  std::vector<row> rows_;
};

} // namespace switchboard::runtime

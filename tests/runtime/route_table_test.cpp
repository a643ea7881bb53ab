#include "runtime/route_table.hpp"

#include <gtest/gtest.h>

namespace switchboard::runtime {
namespace {

const sb_route routes[]{
    {"POST", "/v1/calls", SB_CREATE, nullptr},          {"GET", "/v1/calls", SB_LIST, nullptr},
    {"GET", "/v1/calls/{id}", SB_BY_ID, nullptr},       {"GET", "/v1/calls/stats", SB_LIST, nullptr},
    {"POST", "/v1/calls/{id}/hold", SB_BY_ID, nullptr}, {"POST", "/v1/calls/{id}/{verb}", SB_BY_ID, nullptr},
    {"POST", "/v1/login", SB_BY_BODY, "username"},
};

sb_entity_type type_with_routes() {
  sb_entity_type type{};
  type.routes = routes;
  type.route_count = std::size(routes);
  return type;
}

TEST(route_table, finds_the_most_literal_pattern_and_the_id) {
  const auto type = type_with_routes();
  route_table table;
  table.add(type);
  struct {
    const char *method, *path;
    int row; ///< in routes; -1: none
    const char* id;
  } const cases[]{
      {"POST", "/v1/calls", 0, ""},
      {"GET", "/v1/calls", 1, ""},
      {"GET", "/v1/calls/", 1, ""},
      {"GET", "/v1/calls/call-7", 2, "call-7"},
      {"GET", "/v1/calls/stats", 3, ""},
      {"POST", "/v1/calls/call-7/hold", 4, "call-7"},
      {"POST", "/v1/calls/call-7/sing", 5, "call-7"},
      {"POST", "/v1/login", 6, ""},
      {"DELETE", "/v1/calls", -1, ""},
      {"PUT", "/v1/calls/call-7", -1, ""},
      {"GET", "/v1/calls/a/b/c", -1, ""},
      {"GET", "/v1/call", -1, ""},
      {"GET", "/v1//calls", -1, ""},
      {"POST", "/v1/calls//hold", -1, ""},
      {"GET", "", -1, ""},
      {"GET", "/", -1, ""},
      {"get", "/v1/calls", -1, ""},
  };
  for (const auto& one : cases) {
    const auto found = table.find(one.method, one.path);
    ASSERT_EQ(found.has_value(), one.row >= 0) << one.method << " " << one.path;
    if (found) {
      EXPECT_EQ(found->route, &routes[one.row]) << one.path;
      EXPECT_EQ(found->id, one.id) << one.path;
    }
  }
}

TEST(route_table, splits_path_and_query) {
  EXPECT_EQ(split("/v1/calls?page_size=10").path, "/v1/calls");
  EXPECT_EQ(split("/v1/calls?page_size=10").query, "page_size=10");
  EXPECT_EQ(split("/v1/calls").query, "");
  EXPECT_EQ(split("").path, "");
}

TEST(route_table, reads_values_of_a_query) {
  EXPECT_EQ(query_value("a=1&bb=2&b=3", "b"), "3");
  EXPECT_EQ(query_value("a=1&bb=2&b=3", "a"), "1");
  EXPECT_EQ(query_value("a=1&b", "b"), "");
  EXPECT_EQ(query_value("", "b"), "");
  EXPECT_EQ(query_value("b=", "b"), "");
}

TEST(route_table, refuses_routes_that_could_never_be_served) {
  EXPECT_TRUE(check_route(routes[0]));
  EXPECT_FALSE(check_route({"GET", "/v2/calls", SB_LIST, nullptr}));
  EXPECT_FALSE(check_route({"GET", "/v1/calls", SB_BY_ID, nullptr}));
  EXPECT_FALSE(check_route({"GET", "/v1/calls", SB_BY_BODY, nullptr}));
  EXPECT_FALSE(check_route({"GET", "/v1/calls", SB_BY_BODY, ""}));
  EXPECT_FALSE(check_route({"GET", "/v1/calls", 9, nullptr}));
  EXPECT_FALSE(check_route({nullptr, "/v1/calls", SB_LIST, nullptr}));
  EXPECT_FALSE(check_route({"GET", nullptr, SB_LIST, nullptr}));
}

} // namespace
} // namespace switchboard::runtime

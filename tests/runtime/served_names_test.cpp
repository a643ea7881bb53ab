// What a plugin calls its routes and events is what its clients use, whatever its own name.
#include "runtime/served_names.hpp"

#include <gmock/gmock.h>

#include "runtime/hosted_types.hpp"

namespace switchboard::runtime {
namespace {

constexpr sb_route pbox_routes[]{
    {"POST", "/v1/postboxes", SB_CREATE, nullptr},
    {"GET", "/v1/postboxes/{id}", SB_BY_ID, nullptr},
    {"GET", "/v1/calls/{id}", SB_BY_ID, nullptr},
    {"POST", "/v1/calls/{id}/park", SB_BY_ID, nullptr},
};
constexpr sb_route call_routes[]{{"GET", "/v1/calls/{id}", SB_BY_ID, nullptr}};

template <std::size_t Count>
sb_entity_type type_of(const char* name, const sb_route (&routes)[Count]) {
  sb_entity_type made{};
  made.type = name;
  made.service = name;
  made.routes = routes;
  made.route_count = Count;
  return made;
}

struct served_names_test : testing::Test {
  served_names_test() {
    for (const auto* one : {&call, &pbox})
      types.serve(types.add_version(*one, "{}", one->type, "1.0.0"));
    names.read(types);
  }
  const sb_entity_type call = type_of("call", call_routes), pbox = type_of("pbox", pbox_routes);
  hosted_types types;
  served_names names;
};

TEST_F(served_names_test, a_route_belongs_to_the_service_whose_table_has_it) {
  EXPECT_EQ(names.service_of("POST", "/v1/postboxes"), "pbox");
  EXPECT_EQ(names.service_of("GET", "/v1/postboxes/7?full=1"), "pbox");
  EXPECT_EQ(names.service_of("POST", "/v1/calls/7/park"), "pbox");
}

TEST_F(served_names_test, the_service_of_that_noun_comes_before_others_with_the_same_route) {
  EXPECT_EQ(names.service_of("GET", "/v1/calls/7"), "call");
}

TEST_F(served_names_test, a_route_that_nobody_here_has_belongs_to_the_service_of_its_noun) {
  EXPECT_EQ(names.service_of("DELETE", "/v1/calls/7"), "call");
  EXPECT_EQ(names.service_of("GET", "/v1/widgets"), "widget");
  EXPECT_EQ(names.service_of("GET", "/v2/widgets"), std::nullopt);
  EXPECT_EQ(served_names{}.service_of("GET", "/v1/calls"), "call");
}

TEST_F(served_names_test, each_type_has_an_exchange_and_so_has_what_else_they_tell_of) {
  EXPECT_THAT(names.event_exchanges(), testing::IsSupersetOf({"call.events", "pbox.events", "sms.events"}));
}

} // namespace
} // namespace switchboard::runtime

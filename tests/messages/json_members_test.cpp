// Members of a JSON text found without parsing it.
#include "messages/json_members.hpp"

#include <gmock/gmock.h>

namespace switchboard {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Optional;

TEST(json_members, are_found_at_any_depth_with_any_spaces) {
  EXPECT_THAT(text_members(R"({"id":"a","data":{"id" : "b","list":[{"id":  "c"}]}})", "id"),
              Optional(ElementsAre("a", "b", "c")));
  EXPECT_THAT(text_members("{\"id\"\t:\r\n \"a\"}", "id"), Optional(ElementsAre("a")));
  EXPECT_THAT(text_members(R"({"id":""})", "id"), Optional(ElementsAre("")));
}

TEST(json_members, of_other_names_or_kinds_are_left_out) {
  EXPECT_THAT(text_members(R"({"ids":"a","x":"id","y":["id","z"],"id":7,"id":null,"id":{"id":["id"]}})", "id"),
              Optional(IsEmpty()));
}

TEST(json_members, take_a_parser_where_there_are_escapes) {
  EXPECT_EQ(text_members(R"({"\u0069d":"a"})", "id"), std::nullopt);
  EXPECT_EQ(text_members(R"({"id":"a\"b"})", "id"), std::nullopt);
  EXPECT_THAT(text_members(R"({"name":"a \"quoted\" word","id":"b"})", "id"), Optional(ElementsAre("b")));
}

TEST(json_members, of_what_is_no_json_do_no_harm) {
  for (const auto* text : {"", "\"id\"", "\"id\":", "\"id\":\"", "\"id\":\"a", "{\"id\""})
    EXPECT_THAT(text_members(text, "id"), Optional(IsEmpty())) << text;
}

} // namespace
} // namespace switchboard

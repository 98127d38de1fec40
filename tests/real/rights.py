"""Takes the right to read a topic away from somebody, or gives it back: rights.py BROKER take|give PRINCIPAL TOPIC"""

import sys

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

broker, act, principal, topic = sys.argv[1:]
admin = AdminClient({"bootstrap.servers": broker})
rule = (
    ResourceType.TOPIC,
    topic,
    ResourcePatternType.LITERAL,
    principal,
    "*",
    AclOperation.READ,
    AclPermissionType.DENY,
)
if act == "take":
    answers = admin.create_acls([AclBinding(*rule)], request_timeout=30)
else:
    answers = admin.delete_acls([AclBindingFilter(*rule)], request_timeout=30)
for answer in answers.values():
    answer.result()

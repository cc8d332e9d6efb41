package user_test

import (
	"os"
	"strconv"
	"time"
)

func today() string { return strconv.FormatInt(time.Now().Unix()/86400, 10) }

func isRoot() bool { return os.Geteuid() == 0 }

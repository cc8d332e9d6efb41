package lab_test

const smallDisk = "BRINE_LAB_SMALL_DISK"

func enterSmallDisk(string) {}

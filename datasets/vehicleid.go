package datasets

import (
	"context"
	"errors"
)

// vehicleid is PKU VehicleID.
func vehicleid() Set {
	return Set{
		Name: "vehicleid", Title: "PKU VehicleID", Folders: []string{"VehicleID_V1.0"},
		Protocols: vehicleProtocols(),
		Read:  readVehicleID,
		Looks: func(string) bool { return false },
	}
}

func readVehicleID(_ context.Context, _, _ string) (*Layout, error) {
	return nil, errors.New("vehicleid: not read yet")
}

// vehicleProtocols returns both protocols of each test list.
func vehicleProtocols() []Protocol {
	recalls := []int{1, 5}
	return []Protocol{
		{ID: "vehicleid-800-loo", Kind: KindLeaveOneOut, List: 1, Recalls: recalls},
		{ID: "vehicleid-800-1gallery", Kind: KindOneGallery, List: 1, Recalls: recalls},
		{ID: "vehicleid-1600-loo", Kind: KindLeaveOneOut, List: 2, Recalls: recalls},
		{ID: "vehicleid-1600-1gallery", Kind: KindOneGallery, List: 2, Recalls: recalls},
		{ID: "vehicleid-2400-loo", Kind: KindLeaveOneOut, List: 4, Recalls: recalls},
		{ID: "vehicleid-2400-1gallery", Kind: KindOneGallery, List: 4, Recalls: recalls},
	}
}

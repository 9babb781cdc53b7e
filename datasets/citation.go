package datasets

// unknownLicence is said where a publisher's terms could not be read.
const unknownLicence = "not known here: see the publisher's page before you pass images on"

// Citation returns how to cite a set, and the licence of its images as its publisher states it in the files
// or on the page of the set. Where no statement could be read, the licence says so.
func (s Set) Citation() (text, licence string) {
	if s.Own() {
		return "none: the images are your own", "that of your own images"
	}
	switch s.Name {
	case "cub":
		return "Wah, C., Branson, S., Welinder, P., Perona, P., Belongie, S.: The Caltech-UCSD Birds-200-2011 Dataset. " +
			"California Institute of Technology, CNS-TR-2011-001, 2011", unknownLicence
	case "cars196":
		return "Krause, J., Stark, M., Deng, J., Fei-Fei, L.: 3D Object Representations for Fine-Grained Categorization. " +
			"4th IEEE Workshop on 3D Representation and Recognition, ICCV 2013", unknownLicence
	case "sop":
		return "Oh Song, H., Xiang, Y., Jegelka, S., Savarese, S.: Deep Metric Learning via Lifted Structured Feature Embedding. " +
			"CVPR 2016", unknownLicence
	case "inshop":
		return "Liu, Z., Luo, P., Qiu, S., Wang, X., Tang, X.: DeepFashion: Powering Robust Clothes Recognition and Retrieval with " +
				"Rich Annotations. CVPR 2016",
			"the README says that the publishers do not own the copyrights to the images, whose use is restricted to " +
				"non-commercial research and educational purposes"
	case "vehicleid":
		return "Liu, H., Tian, Y., Wang, Y., Pang, L., Huang, T.: Deep Relative Distance Learning: Tell the Difference Between Similar " +
			"Vehicles. CVPR 2016", unknownLicence
	}
	return "", unknownLicence
}

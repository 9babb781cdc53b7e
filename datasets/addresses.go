package datasets

import "fmt"

// An Address says where the publisher of a set offers it.
type Address struct {
	Set  string `json:"set"`
	Page string `json:"page"` // of the publisher, with the terms
	File string `json:"file"` // name of the archive

	// URL is the plain download of the archive. It is empty where the publisher offers none; Instead then
	// says how to get it.
	URL     string `json:"url,omitempty"`
	Instead string `json:"instead,omitempty"`

	Bytes int64  `json:"bytes,omitempty"` // 0 where it is not known
	MD5   string `json:"md5,omitempty"`   // hexadecimal; empty where none is known, and the counts of the lists check the content

	Licence  string `json:"licence"` // what the terms are about, in short; the page has them
	Citation string `json:"citation"`
}

// Addresses returns the publishers' own addresses, in the order of All. Sizes and hashes are those that
// several public programs check the archives with; no address was tried by a test.
func Addresses() []Address {
	const request = "it is handed out on request: ask for it on that page, then name it with --raw"
	return []Address{
		{
			Set: "cub", Page: "https://www.vision.caltech.edu/datasets/cub_200_2011/", File: "CUB_200_2011.tgz",
			URL:   "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz",
			Bytes: 1150585339, MD5: "97eceeb196236b17998738112f37df78",
			Licence: "The photographs belong to those who took them; they were collected for research. " +
				"The publisher's terms are on the page; they hold, and not this summary.",
			Citation: "C. Wah, S. Branson, P. Welinder, P. Perona, S. Belongie: The Caltech-UCSD Birds-200-2011 Dataset. " +
				"California Institute of Technology, CNS-TR-2011-001, 2011.",
		},
		{
			Set: "cars196", Page: "https://ai.stanford.edu/~jkrause/cars/car_dataset.html", File: "car_ims.tgz",
			Instead: "the publisher's host has not answered since 2023: name a copy with --raw; copies of Kaggle's layouts are read too",
			Licence: "The photographs belong to those who took them; they were collected for research.",
			Citation: "J. Krause, M. Stark, J. Deng, L. Fei-Fei: 3D Object Representations for Fine-Grained Categorization. " +
				"4th IEEE Workshop on 3D Representation and Recognition, ICCV 2013.",
		},
		{
			Set: "sop", Page: "https://cvgl.stanford.edu/projects/lifted_struct/", File: "Stanford_Online_Products.zip",
			Instead: "it is offered by FTP, which --fetch does not speak: fetch ftp://cs.stanford.edu/cs/cvgl/Stanford_Online_Products.zip " +
				"with \"curl -C - -O\", then name the file with --raw",
			Bytes: 3083860082, MD5: "7f73d41a2f44250d4779881525aea32e",
			Licence: "The photographs belong to the sellers who took them; they were collected for research.",
			Citation: "H. Oh Song, Y. Xiang, S. Jegelka, S. Savarese: Deep Metric Learning via Lifted Structured Feature Embedding. " +
				"CVPR 2016.",
		},
		{
			Set: "inshop", Page: "https://mmlab.ie.cuhk.edu.hk/projects/DeepFashion/InShopRetrieval.html", File: "img.zip", Instead: request,
			Licence: "For non-commercial research only, under an agreement with the publisher.",
			Citation: "Z. Liu, P. Luo, S. Qiu, X. Wang, X. Tang: DeepFashion: Powering Robust Clothes Recognition and Retrieval with Rich Annotations. " +
				"CVPR 2016.",
		},
		{
			Set: "vehicleid", Page: "https://www.pkuml.org/resources/pku-vehicleid.html", File: "VehicleID_V1.0.zip", Instead: request,
			Licence: "For non-commercial research only, under an agreement with the publisher.",
			Citation: "H. Liu, Y. Tian, Y. Wang, L. Pang, T. Huang: Deep Relative Distance Learning: Tell the Difference Between Similar Vehicles. " +
				"CVPR 2016.",
		},
	}
}

// LookupAddress returns the address of a set. A set that its publisher offers no plain download of is an
// error that says where to get it.
func LookupAddress(set string) (Address, error) {
	for _, a := range Addresses() {
		switch {
		case a.Set != set:
		case a.URL == "":
			return a, fmt.Errorf("fetch %s: the publisher's page is %s; %s", set, a.Page, a.Instead)
		default:
			return a, nil
		}
	}
	return Address{}, fmt.Errorf("fetch %s: it has no publisher whose address is known", set)
}
